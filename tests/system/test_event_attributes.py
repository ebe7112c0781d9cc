"""Every event of a container has all its labels, whoever wrote the line, and also when the container is gone."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from rootless.engine.state.events import event_log
from rootless.storage.store import Store
from tests.harness.command import Rootless

LABELS = {"empty": "", "long": "x" * 3000, **{f"com.example.label-{number}": f"value {number}" for number in range(30)}}
WORDS = [word for key, value in LABELS.items() for word in ("--label", f"{key}={value}")]


def told(rootless: Rootless, *options: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in rootless("events", "--since", "1h", "--until", "0s", "--format", "json", *options).lines]


@pytest.fixture
def watcher() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor() as pool:
        yield pool


def test_all_labels_to_the_end_and_after(rootless: Rootless, busybox_image: str) -> None:
    box = rootless("run", "-d", "--network", "none", *WORDS, busybox_image, "sh", "-c", "sleep 1.2; exit 3").stdout.strip()
    rootless("exec", "-d", box, "sleep", "1000")
    rootless("wait", box)
    for removed in (False, True):
        if removed:
            rootless("rm", box)
        messages = told(rootless, "--filter", f"container={box}", "--filter", "type=container")
        kinds = [each["Action"].partition(":")[0] for each in messages]
        assert {"create", "start", "exec_create", "exec_start", "exec_die", "die"} <= set(kinds)
        for each in messages:
            attributes = each["Actor"]["Attributes"]
            assert {key: attributes.get(key) for key in LABELS} == LABELS, each["Action"]
            assert attributes["image"] == busybox_image
        (end,) = (each for each in messages if each["Action"] == "die")
        assert (end["Actor"]["Attributes"]["exitCode"], end["Actor"]["Attributes"]["execDuration"]) == ("3", "1")
        wanted = ("--filter", f"label=long={LABELS['long']}", "--filter", "label=empty", "--filter", f"container={box}")
        assert len(told(rootless, *wanted, "--filter", "type=container")) == len(messages)
        assert told(rootless, "--filter", "label=empty=x", "--filter", f"container={box}") == []


def test_labels_that_the_log_has_lost(rootless: Rootless, busybox_image: str) -> None:
    """Rotated away: they come from the container."""
    box = rootless("run", "-d", "--network", "none", *WORDS, busybox_image, "sleep", "1000").stdout.strip()
    for name in ("events.log", "events.log.1"):
        if os.path.exists(rootless.root / "events" / name):
            os.unlink(rootless.root / "events" / name)
    rootless("kill", box)
    messages = told(rootless, "--filter", f"container={box}", "--filter", "event=die")
    assert messages[0]["Actor"]["Attributes"]["com.example.label-29"] == "value 29"
    rootless("rm", box)


@pytest.mark.own_store
def test_an_images_labels(rootless: Rootless, busybox_image: str) -> None:
    box = rootless("create", "--network", "none", busybox_image, "true").stdout.strip()
    rootless("commit", "-c", "LABEL a=1 b=", box, "labelled")
    rootless("tag", "labelled", "other")
    attributes = told(rootless, "--filter", "type=image", "--filter", "event=tag")[-1]["Actor"]["Attributes"]
    assert attributes == {"a": "1", "b": "", "name": "other:latest"}
    rootless("rm", box)


def test_a_reader_who_goes(rootless: Rootless, busybox_image: str, watcher: ThreadPoolExecutor) -> None:
    store = Store(str(rootless.root), str(rootless.sockets))
    rootless("rm", rootless("create", "--network", "none", busybox_image, "true").stdout.strip())
    ours, theirs = socket.socketpair()
    found: list[str] = []
    since = time.time_ns()

    def read() -> None:
        for message in event_log.follow(store, since_ns=since, until_ns=None, filters={}, hangup=ours.fileno()):
            found.append(message["Action"])
            if message["Action"] == "destroy":
                theirs.close()

    reading = watcher.submit(read)
    theirs.shutdown(socket.SHUT_WR)
    rootless("rm", rootless("create", "--network", "none", busybox_image, "true").stdout.strip())
    reading.result(60)
    assert found == ["create", "destroy"]
    ours.close()
