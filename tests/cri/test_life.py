"""A container's life as a kubelet steers it: logs that are rotated, streams that are attached, ends that are waited for, and daemons
that are killed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import pytest

from tests.cri.containerd import Containerd, started
from tests.cri.pod import EXITED, RUNNING, Pod
from tests.cri.streaming import RESIZE, STDERR, STDIN, STDOUT, Stream
from tests.harness.processes import wait_until

COUNT = "i=0; while :; do echo $i; i=$((i+1)); sleep 0.05; done"
READ = 'while read x; do echo out $x; echo err $x >&2; test "$x" = end && exit 9; done; echo closed'


@pytest.fixture
def containerd_of_its_own(pod_images: Path) -> Iterator[Containerd]:
    with started(pod_images) as daemon:
        yield daemon


def numbers(box: Pod, *files: str) -> list[int]:
    """What a counting container has said."""
    return [int(line.rpartition(" ")[2]) for name in files for line in (box.logs / name).read_text().splitlines()]


def test_a_log_is_rotated(pod: Callable[..., Pod], containerd: Containerd) -> None:
    """As a kubelet does it: rename, ReopenContainerLog. No line is lost, and none is there twice."""
    box = pod("logs")
    counter = box.run("counter", COUNT)
    log = box.logs / "counter.log"
    wait_until(lambda: numbers(box, "counter.log"), "it says something")
    log.rename(box.logs / "rotated")
    containerd.call("ReopenContainerLog", container_id=counter)
    wait_until(lambda: log.exists() and len(numbers(box, "counter.log")) > 2, "it says something there")
    box.stop(counter, timeout_s=0)
    said = numbers(box, "rotated", "counter.log")
    assert said == list(range(len(said)))
    with pytest.raises(grpc.RpcError, match="not running"):
        containerd.call("ReopenContainerLog", container_id=counter)
    short = box.run("short", "echo first; echo last >&2; exit 3")
    assert box.wait(short).exit_code == 3
    assert sorted(box.log("short")) == ["stderr F last", "stdout F first"]


def test_attached(pod: Callable[..., Pod], containerd: Containerd) -> None:
    """`kubectl attach`: one client after the other; with a terminal; and an input that ends with the first."""
    box = pod("attached")

    def attach(container: str, *, tty: bool = False) -> Stream:
        url = containerd.call("Attach", container_id=container, stdin=True, stdout=True, stderr=not tty, tty=tty).url
        return Stream(containerd, url)

    reader = box.run("reader", READ, stdin=True)
    for word in ("one", "two"):
        stream = attach(reader)
        stream.send(STDIN, f"{word}\n".encode())
        stream.expect(STDOUT, f"out {word}\n".encode())
        stream.expect(STDERR, f"err {word}\n".encode())
        stream.close()
    stream = attach(reader)
    stream.send(STDIN, b"end\n")
    assert stream.rest()[STDOUT] == b"out end\n"
    stream.close()
    assert box.wait(reader).exit_code == 9
    assert [line for line in box.log("reader") if "out" in line] == [f"stdout F out {word}" for word in ("one", "two", "end")]

    typing = box.run("typing", 'trap "stty size" WINCH; tty; until test "$x" = end; do read x; done; exit 3', stdin=True, tty=True)
    stream = attach(typing, tty=True)
    stream.send(RESIZE, json.dumps({"Width": 101, "Height": 33}).encode())
    stream.send(STDIN, b"\n")
    stream.expect(STDOUT, b"33 101\r\n")
    stream.send(STDIN, b"end\n")
    stream.rest()
    stream.close()
    assert box.wait(typing).exit_code == 3
    assert box.log("typing")[0] == "stdout F /dev/pts/0"

    once = box.run("once", "cat; exit 4", stdin=True, stdin_once=True)
    stream = attach(once)
    stream.send(STDIN, b"x\n")
    stream.expect(STDOUT, b"x\n")
    stream.close()
    assert box.wait(once).exit_code == 4


def test_times_that_run_out(pod: Callable[..., Pod], containerd: Containerd) -> None:
    """An exec that takes too long is ended; a container that ignores SIGTERM is killed after its time, and not before."""
    box = pod("times")
    deaf = box.run("deaf", "trap 'echo asked' TERM; echo up; while :; do sleep 0.1; done")
    wait_until(lambda: box.log("deaf") == ["stdout F up"], "it is up")
    with pytest.raises(grpc.RpcError) as late:
        containerd.call("ExecSync", container_id=deaf, cmd=["sleep", "1234"], timeout=1)
    assert late.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    wait_until(lambda: "1234" not in box.exec(deaf, "ps", "-o", "args")[1], "its process has ended")
    box.stop(deaf, timeout_s=1)
    assert box.container(deaf).exit_code == 137
    assert box.log("deaf") == ["stdout F up", "stdout F asked"]


def test_figures_and_changes_without_a_cgroup(pod: Callable[..., Pod], containerd: Containerd) -> None:
    """Figures of each container are told; a change of limits that are not in force is refused, and says what is missing."""
    box = pod("figures")
    one, two = (box.run(name, "exec sleep 1000") for name in ("one", "two"))
    told = containerd.call("ListContainerStats").stats
    assert {each.attributes.id: each.attributes.metadata.name for each in told} == {one: "one", two: "two"}
    assert containerd.call("ContainerStats", container_id=two).stats.attributes.id == two
    containerd.call("UpdateContainerResources", container_id=one, linux={})
    with pytest.raises(grpc.RpcError, match="it has no cgroup"):
        containerd.call("UpdateContainerResources", container_id=one, linux={"memory_limit_in_bytes": 1 << 28})


def test_a_daemon_and_a_shim_that_are_killed(containerd_of_its_own: Containerd) -> None:
    """Pods go on without the daemon, and are the next one's; what ended meanwhile has its status. A shim takes its pod along."""
    daemon = containerd_of_its_own
    box = Pod(daemon, "box", "rootless-oci")
    counter = box.run("counter", COUNT)
    waits = box.run("waits", "until test -e /go; do sleep 0.05; done; exit 6")
    daemon.restart()
    assert (box.status().state, box.container(counter).state) == (0, RUNNING)
    assert box.exec(waits, "touch", "/go") == (0, "")
    assert box.wait(waits).exit_code == 6
    before = len(numbers(box, "counter.log"))
    wait_until(lambda: len(numbers(box, "counter.log")) > before, "its log is written")
    assert box.wait(box.run("after", "exit 7")).exit_code == 7
    shim = daemon.inside("sh", "-c", "grep -l containerd-shim /proc/[0-9]*/comm | cut -d/ -f3").stdout.strip()
    assert daemon.inside("kill", "-9", shim).returncode == 0
    wait_until(lambda: box.container(counter).state == EXITED, "the container is told as ended")
    assert box.container(counter).exit_code == 255
    box.remove()
    left = daemon.inside("sh", "-c", "ls /run/rootless-oci/k8s.io /run/netns; grep -l sleep /proc/[0-9]*/comm")
    assert left.stdout.split() == ["/run/netns:", "/run/rootless-oci/k8s.io:"]
