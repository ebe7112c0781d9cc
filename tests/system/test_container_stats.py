"""Docker's stats object: real differences, what a container without a cgroup has, and one that does not run."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from rootless.engine.views import container_stats
from rootless.errors import NotFound
from rootless.storage.containers import containers
from rootless.storage.store import Store
from tests.harness import processes
from tests.harness.command import Rootless


@pytest.fixture
def store(rootless: Rootless) -> Store:
    return Store(str(rootless.root), str(rootless.sockets))


def test_a_busy_one(rootless: Rootless, store: Store, busybox_image: str) -> None:
    box = containers.find(store, rootless("run", "-d", "--name", "box", busybox_image, "sh", "-c", "while :; do :; done").stdout.strip())
    processes.wait_until(lambda: container_stats.once(store, box)["cpu_stats"]["cpu_usage"]["total_usage"] > 0, "the clock's first tick")
    found = container_stats.once(store, box)
    json.dumps(found)
    assert (found["id"], found["name"]) == (box, "/box")
    now, before = found["cpu_stats"], found["precpu_stats"]
    assert now["cpu_usage"]["total_usage"] > before["cpu_usage"]["total_usage"] > 0
    assert now["cpu_usage"]["usage_in_usermode"] > before["cpu_usage"]["usage_in_usermode"]
    assert now["online_cpus"] == before["online_cpus"] == Path("/proc/stat").read_text().count("\ncpu")
    # At least a second of each processor, which is what docker stats divides by.
    assert now["system_cpu_usage"] - before["system_cpu_usage"] > 900_000_000 * now["online_cpus"]
    assert "0001-01-01" < found["preread"] < found["read"]
    assert found["memory_stats"]["usage"] > 0
    assert found["memory_stats"]["limit"] > found["memory_stats"]["usage"]
    assert found["pids_stats"]["current"] == 1
    (interface,) = found["networks"].values()
    assert set(interface) == {f"{way}_{what}" for way in ("rx", "tx") for what in ("bytes", "packets", "errors", "dropped")}
    alone = container_stats.once(store, box, one_shot=True)
    assert alone["precpu_stats"]["cpu_usage"]["total_usage"] == 0
    assert alone["preread"] == "0001-01-01T00:00:00Z"
    assert alone["cpu_stats"]["cpu_usage"]["total_usage"] >= now["cpu_usage"]["total_usage"]
    rootless("rm", "-f", box)


def test_each_second_until_it_goes(rootless: Rootless, store: Store, busybox_image: str) -> None:
    box = containers.find(store, rootless("run", "-d", "--network", "none", busybox_image, "sleep", "1000").stdout.strip())
    documents = container_stats.follow(store, box)
    first, second = next(documents), next(documents)
    assert second["precpu_stats"] == first["cpu_stats"]
    assert second["preread"] == first["read"]
    assert second["networks"] == {}
    rootless("kill", box)
    stopped = next(documents)
    assert (stopped["id"], stopped["pids_stats"], stopped["memory_stats"]) == (box, {}, {})
    assert stopped["read"] == "0001-01-01T00:00:00Z"
    rootless("start", box)
    assert next(documents)["precpu_stats"]["cpu_usage"]["total_usage"] == 0
    rootless("rm", "-f", box)
    assert list(documents) == []
    with pytest.raises(NotFound):
        container_stats.once(store, box)


def test_a_reader_who_goes(rootless: Rootless, store: Store, busybox_image: str) -> None:
    box = containers.find(store, rootless("create", "--network", "none", busybox_image, "true").stdout.strip())
    ours, theirs = socket.socketpair()
    documents = container_stats.follow(store, box, hangup=ours.fileno())
    theirs.shutdown(socket.SHUT_WR)
    assert [next(documents)["cpu_stats"]["cpu_usage"]["total_usage"] for _ in range(2)] == [0, 0]
    theirs.close()
    assert list(documents) == []
    ours.close()
    rootless("rm", box)
