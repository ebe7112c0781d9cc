"""`events` tells what Docker tells, in Docker's words, fields and filters."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.harness.command import Rootless
from tests.harness.processes import wait_until


def told(rootless: Rootless, *options: str) -> list[dict[str, Any]]:
    return [
        json.loads(line) for line in rootless("events", "--until", "0s", "--format", "json", *options).lines
    ]


def kinds(messages: list[dict[str, Any]]) -> list[str]:
    return [f"{each['Type']} {each['Action'].partition(':')[0]}" for each in messages]


@pytest.fixture
def box(rootless: Rootless, busybox_image: str) -> Iterator[Rootless]:
    rootless(
        "run", "-d", "--name", "box", "--label", "a=1", "-v", "data:/d:ro", busybox_image, "sleep", "1000"
    )
    yield rootless
    rootless("rm", "-f", "box")
    rootless("volume", "rm", "-f", "data")


@pytest.mark.own_store
def test_a_life(rootless: Rootless, busybox_image: str) -> None:
    since = ("--since", "0")
    before = len(told(rootless, *since))
    rootless("run", "--rm", "-v", "data:/d", busybox_image, "true")
    rootless("volume", "rm", "data")
    assert kinds(told(rootless, *since)[before:]) == [
        "volume create", "container create", "container attach", "network connect", "volume mount",
        "container start", "container die", "network disconnect", "volume unmount", "container destroy",
        "volume destroy",
    ]  # fmt: skip


def test_what_a_start_and_an_end_bring(box: Rootless) -> None:
    container = box("inspect", "-f", "{{.Id}}", "box").stdout.strip()
    network = box("inspect", "-f", "{{.NetworkSettings.Networks.bridge.NetworkID}}", "box").stdout.strip()
    connected = [
        each
        for each in told(box, "--filter", "type=network")  # a create has no container
        if each["Actor"]["Attributes"].get("container") == container
    ]
    assert [(each["Action"], each["Actor"]) for each in connected] == [
        (
            "connect",
            {"ID": network, "Attributes": {"container": container, "name": "bridge", "type": "bridge"}},
        )
    ]
    mounts = told(box, "--filter", "volume=data", "--filter", "event=mount")
    (mounted,) = (each for each in mounts if each["Actor"]["Attributes"]["container"] == container)
    assert mounted["Actor"]["Attributes"] == {
        "container": container, "destination": "/d", "driver": "local", "propagation": "", "read/write": "false",
    }  # fmt: skip
    box("stop", "-t", "0", "box")
    assert kinds(told(box))[-4:] == [
        "container die",
        "network disconnect",
        "volume unmount",
        "container stop",
    ]


def test_verbs_are_told(box: Rootless, tmp_path: Any) -> None:
    mine = "container=" + box("inspect", "-f", "{{.Id}}", "box").stdout.strip()
    box("exec", "box", "sh", "-c", "exit 4", status=4)
    box("cp", "box:/etc/passwd", tmp_path)
    box("cp", tmp_path / "passwd", "box:/tmp/")
    box("export", "-o", tmp_path / "x.tar", "box")
    box("top", "box")
    box("pause", "box")
    box("unpause", "box")
    box("restart", "-t", "0", "box")
    box("rename", "box", "other")
    box("pause", "other")
    box("unpause", "other")
    box("rename", "other", "box")
    messages = told(box, "--filter", mine, "--filter", "type=container")
    words = [kind.removeprefix("container ") for kind in kinds(messages)]
    assert words == [
        "create", "start", "exec_create", "exec_start", "exec_die", "archive-path", "extract-to-dir", "export", "top",
        "pause", "unpause", "kill", "kill", "die", "stop", "start", "restart", "rename", "pause", "unpause", "rename",
    ]  # fmt: skip
    created, started, ended = (each for each in messages if each["Action"].startswith("exec_"))
    assert created["Action"] == "exec_create: sh -c exit 4"
    assert started["Action"] == "exec_start: sh -c exit 4"
    identifiers = {each["Actor"]["Attributes"]["execID"] for each in (created, started, ended)}
    assert len(identifiers) == 1
    assert ended["Actor"]["Attributes"]["exitCode"] == "4"
    assert messages[-1]["Actor"]["Attributes"]["oldName"] == "/other"
    named = [each["Actor"]["Attributes"]["name"] for each in messages]
    assert named[-4:] == ["other", "other", "other", "box"]
    assert set(named[:-4]) == {"box"}
    assert [each["Action"] for each in told(box, "--filter", "event=exec_create", "--filter", mine)] == [
        created["Action"]
    ]
    assert len(told(box, "--filter", "event=exec_create: sh -c exit 4", "--filter", mine)) == 1


@pytest.mark.parametrize(("command", "code"), [("exit 4", "4"), ("kill -9 $$", "137")])
def test_a_detached_execution_is_told_to_its_end(box: Rootless, command: str, code: str) -> None:
    mine = ("--filter", "container=" + box("inspect", "-f", "{{.Id}}", "box").stdout.strip())
    box("exec", "-d", "box", "sh", "-c", command)
    wait_until(lambda: told(box, *mine, "--filter", "event=exec_die"), "the event of its end")
    messages = [each for each in told(box, *mine) if each["Action"].startswith("exec_")]
    assert [each["Action"].partition(":")[0] for each in messages] == ["exec_create", "exec_start", "exec_die"]
    assert len({each["Actor"]["Attributes"]["execID"] for each in messages}) == 1
    assert messages[-1]["Actor"]["Attributes"]["exitCode"] == code
    assert messages[-1]["Actor"]["Attributes"]["a"] == "1"


def test_a_detached_execution_ends_with_the_container(box: Rootless) -> None:
    mine = ("--filter", "container=" + box("inspect", "-f", "{{.Id}}", "box").stdout.strip())
    box("exec", "-d", "box", "sleep", "1000")
    box("kill", "box")
    wait_until(lambda: told(box, *mine, "--filter", "event=exec_die"), "the event of its end")
    (end,) = told(box, *mine, "--filter", "event=exec_die")
    assert end["Actor"]["Attributes"]["exitCode"] == "137"


def test_a_health_check_is_an_execution(rootless: Rootless, busybox_image: str) -> None:
    words = ("--health-cmd", "exit 3", "--health-interval", "1h", "--network", "none")
    rootless("run", "-d", "--name", "checked", *words, busybox_image, "sleep", "1000")
    rootless("healthcheck", "run", "checked", status=1)
    mine = ("--filter", "container=" + rootless("inspect", "-f", "{{.Id}}", "checked").stdout.strip())
    messages = [each for each in told(rootless, *mine) if each["Action"].startswith("exec_")]
    assert [each["Action"] for each in messages[:3]] == [
        "exec_create: /bin/sh -c exit 3", "exec_start: /bin/sh -c exit 3", "exec_die",
    ]  # fmt: skip
    assert messages[2]["Actor"]["Attributes"]["exitCode"] == "3"
    rootless("rm", "-f", "checked")


def test_images_and_prunes_are_told(rootless: Rootless, busybox_image: str, tmp_path: Any) -> None:
    rootless("save", "-o", tmp_path / "i.tar", busybox_image)
    rootless("create", "--name", "gone", busybox_image, "true")
    rootless("export", "-o", tmp_path / "f.tar", "gone")
    mine = rootless("import", tmp_path / "f.tar", "mine:1").stdout.strip()
    rootless("import", "-c", "LABEL other=1", tmp_path / "f.tar")  # as another test may have left one
    rootless("rmi", "mine:1")
    rootless("container", "prune", "-f")
    rootless("volume", "prune", "-f")
    rootless("image", "prune", "-f")
    messages = told(rootless)
    words = kinds(messages)
    ours = (mine, rootless("inspect", "-f", "{{.Id}}", busybox_image).stdout.strip(), "")
    assert kinds([each for each in messages if each["Type"] == "image" and each["Actor"]["ID"] in ours])[-5:] == [
        "image save", "image import", "image untag", "image delete", "image prune",
    ]  # fmt: skip
    assert "container prune" in words
    assert "volume prune" in words
    assert told(rootless, "--filter", "event=prune")[-1]["Actor"]["Attributes"]["reclaimed"].isdigit()
    assert told(rootless, "--filter", "image=busybox", "--filter", "event=save")


def test_dockers_fields(box: Rootless) -> None:
    identifier = box("inspect", "-f", "{{.Id}}", "box").stdout.strip()
    fields = (
        "Status",
        "ID",
        "From",
        "Type",
        "Action",
        "Actor.ID",
        "Actor.Attributes.a",
        "Actor.Attributes.zz",
        "Scope",
    )
    template = " ".join("{{." + field + "}}" for field in fields)
    lines = box(
        "events",
        "--until",
        "0s",
        "--filter",
        f"container={identifier}",
        "--filter",
        "event=start",
        "--format",
        template,
    ).lines
    assert lines == [f"start {identifier} busybox:latest container start {identifier} 1 <no value> local"]
    (message,) = told(box, "--filter", f"container={identifier[:12]}", "--filter", "event=start")
    assert list(message) == ["status", "id", "from", "Type", "Action", "Actor", "scope", "time", "timeNano"]
    assert message["timeNano"] // 1_000_000_000 == message["time"]
    (network,) = told(box, "--filter", "event=connect")[-1:]
    assert list(network) == ["Type", "Action", "Actor", "scope", "time", "timeNano"]


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        (["scope=local"], True), (["scope=swarm"], False), (["daemon=x"], False), (["type=daemon"], False),
        (["network=bridge"], True), (["network=web"], False), (["image=busybox"], True), (["image=busybox:latest"], True),
        (["label=a"], True), (["label=a=1"], True), (["label=a=2"], False), (["type=network", "event=connect"], True),
    ],
)  # fmt: skip
def test_filters(box: Rootless, filters: list[str], found: bool) -> None:
    words = [word for each in filters for word in ("--filter", each)]
    assert bool(told(box, *words)) == found


@pytest.mark.parametrize(
    ("words", "status", "error"),
    [
        (["--filter", "nosuch=1"], 1, "invalid filter 'nosuch'"),
        (["--filter", "type=nosuch"], 1, "invalid filter 'type=nosuch'"),
        (["--format", "{{.Nope}}"], 64, "can't evaluate field Nope in type *events.Message"),
        (["--format", "{{nope}}"], 64, 'function "nope" not defined'),
    ],
)
def test_mistakes(rootless: Rootless, words: list[str], status: int, error: str) -> None:
    assert error in rootless("events", "--until", "0s", *words, status=status).stderr
