"""A container from create to rm: the verbs, the states and what they print."""

from __future__ import annotations

import json

import pytest

from tests.harness.command import Rootless
from tests.harness.processes import wait_until

TRAP = "trap 'echo told; exit 3' TERM; echo ready; while :; do sleep 0.1; done"


def state(rootless: Rootless, name: str) -> str:
    return rootless("inspect", "--format", "{{.State.Status}}", name).stdout.strip()


def start(rootless: Rootless, image: str, *command: str, name: str = "web") -> str:
    """The id of a detached container."""
    return rootless("run", "-d", "--name", name, "--network", "none", image, *command).stdout.strip()


def test_create_start_wait_rm(rootless: Rootless, busybox_image: str) -> None:
    identity = rootless(
        "create", "--name", "box", busybox_image, "sh", "-c", "echo hi; exit 5"
    ).stdout.strip()
    assert state(rootless, "box") == "created"
    assert rootless("start", "box").stdout == "box\n"
    assert rootless("wait", "box").stdout == "5\n"
    assert state(rootless, identity[:12]) == "exited"
    assert rootless("logs", "box").stdout == "hi\n"
    assert rootless("rm", "box").stdout == "box\n"


def test_start_attached_returns_the_status(rootless: Rootless, busybox_image: str) -> None:
    rootless("create", "--name", "box", busybox_image, "sh", "-c", "echo hi; exit 5")
    assert rootless("start", "-a", "box", status=5).stdout == "hi\n"
    assert rootless("start", "-a", "box", status=5).stdout == "hi\n"
    rootless("rm", "box")


def test_ps(rootless: Rootless, busybox_image: str) -> None:
    identity = start(rootless, busybox_image, "sleep", "1000")
    rootless("create", "--name", "other", busybox_image, "true")
    header, line = rootless("ps").lines
    assert header.split() == ["CONTAINER", "ID", "IMAGE", "COMMAND", "CREATED", "STATUS", "PORTS", "NAMES"]
    assert line.startswith(identity[:12])
    assert '"sleep 1000"' in line
    assert "Up " in line
    assert line.endswith("web")
    assert rootless("ps", "-q", "--no-trunc").stdout.strip() == identity
    assert set(rootless("ps", "-a", "--format", "{{.Names}}").lines) == {"web", "other"}
    assert rootless("ps", "-a", "--filter", "status=created", "--format", "{{.Names}}").lines == ["other"]
    rows = [json.loads(line) for line in rootless("ps", "-a", "--format", "json").lines]
    assert {row["Names"] for row in rows} == {"web", "other"}
    rootless("rm", "-f", "web", "other")


def test_stop_sends_term_then_waits(rootless: Rootless, busybox_image: str) -> None:
    start(rootless, busybox_image, "sh", "-c", TRAP)
    wait_until(lambda: rootless("logs", "web").stdout == "ready\n", "the command is ready")
    assert rootless("stop", "web").stdout == "web\n"
    assert rootless("logs", "web").stdout == "ready\ntold\n"
    assert rootless("inspect", "-f", "{{.State.ExitCode}}", "web").stdout == "3\n"
    rootless("rm", "web")


def test_stop_kills_after_its_time(rootless: Rootless, busybox_image: str) -> None:
    start(rootless, busybox_image, "sleep", "1000")
    rootless("stop", "-t", "1", "web")
    assert rootless("inspect", "-f", "{{.State.ExitCode}}", "web").stdout == "137\n"
    rootless("rm", "web")


def test_restart_is_a_new_process_in_the_same_files(rootless: Rootless, busybox_image: str) -> None:
    start(rootless, busybox_image, "sh", "-c", "echo x >>/count; wc -l </count; exec sleep 1000")
    before = rootless("inspect", "-f", "{{.State.Pid}}", "web").stdout
    rootless("restart", "-t", "0", "web")
    assert rootless("inspect", "-f", "{{.State.Pid}}", "web").stdout != before
    wait_until(lambda: rootless("logs", "web").lines[-1:] == ["2"], "the second start's line")
    rootless("rm", "-f", "web")


def test_kill_with_a_signal(rootless: Rootless, busybox_image: str) -> None:
    start(
        rootless,
        busybox_image,
        "sh",
        "-c",
        "trap 'echo usr1; exit 9' USR1; echo ready; while :; do sleep 0.1; done",
    )
    wait_until(lambda: "ready" in rootless("logs", "web").stdout, "the trap is set")
    rootless("kill", "-s", "USR1", "web")
    assert rootless("wait", "web").stdout == "9\n"
    rootless("rm", "web")


def test_rename(rootless: Rootless, busybox_image: str) -> None:
    rootless("create", "--name", "old", busybox_image)
    rootless("create", "--name", "taken", busybox_image)
    assert "already in use" in rootless("rename", "old", "taken", status=1).stderr
    rootless("rename", "old", "new")
    assert state(rootless, "new") == "created"
    rootless("rm", "new", "taken")


def test_name_is_free_after_rm(rootless: Rootless, busybox_image: str) -> None:
    for _ in range(2):
        rootless("run", "--rm", "--name", "again", busybox_image, "true")


def test_running_container_is_not_removed(rootless: Rootless, busybox_image: str) -> None:
    start(rootless, busybox_image, "sleep", "1000")
    assert "running" in rootless("rm", "web", status=1).stderr
    rootless("rm", "-f", "web")


def test_pause(rootless: Rootless, busybox_image: str) -> None:
    start(rootless, busybox_image, "sh", "-c", "while :; do date +%s%N; sleep 0.02; done")
    done = rootless("pause", "web", status=None)
    if done.status == 0:
        assert state(rootless, "web") == "paused"
        rootless("unpause", "web")
        assert state(rootless, "web") == "running"
    else:  # no freezer for us on this host: said, not faked
        assert "cgroup" in done.stderr
    rootless("rm", "-f", "web")


def test_top_and_logs_options(rootless: Rootless, busybox_image: str) -> None:
    start(rootless, busybox_image, "sh", "-c", "for i in 1 2 3; do echo $i; done; exec sleep 1000")
    wait_until(lambda: rootless("logs", "web").lines == ["1", "2", "3"], "three lines")
    assert rootless("logs", "--tail", "2", "web").lines == ["2", "3"]
    stamped = rootless("logs", "-t", "web").lines
    assert stamped[0].split("T")[0].count("-") == 2
    assert stamped[0].endswith(" 1")
    assert "sleep 1000" in rootless("top", "web").stdout
    rootless("rm", "-f", "web")


def test_logs_follow_ends_with_the_container(rootless: Rootless, busybox_image: str) -> None:
    start(rootless, busybox_image, "sh", "-c", "for i in 1 2 3; do echo $i; sleep 0.2; done")
    assert rootless("logs", "-f", "web", timeout=20).lines == ["1", "2", "3"]
    rootless("rm", "web")


def test_logs_keep_the_streams_apart(rootless: Rootless, busybox_image: str) -> None:
    start(rootless, busybox_image, "sh", "-c", "echo out; echo err >&2")
    rootless("wait", "web")
    done = rootless("logs", "web")
    assert (done.stdout, done.stderr) == ("out\n", "err\n")
    rootless("rm", "web")


def test_logs_rotate(rootless: Rootless, busybox_image: str) -> None:
    identity = rootless(
        "run", "-d", "--name", "web", "--log-opt", "max-size=20k", "--log-opt", "max-file=2", busybox_image,
        "sh", "-c", "i=0; while [ $i -lt 3000 ]; do echo line $i; i=$((i+1)); done",
    ).stdout.strip()  # fmt: skip
    rootless("wait", "web")
    files = sorted((rootless.root / "containers" / identity).glob("container.log*"))
    assert len(files) == 2
    assert sum(file.stat().st_size for file in files) < 50_000
    assert rootless("logs", "--tail", "1", "web").stdout == "line 2999\n"
    rootless("rm", "web")


def test_inspect_is_dockers_document(rootless: Rootless, busybox_image: str) -> None:
    identity = start(rootless, busybox_image, "sleep", "1000")
    (record,) = json.loads(rootless("inspect", "web").stdout)
    assert record["Id"] == identity
    assert record["Name"] == "/web"
    assert record["State"]["Running"] is True
    assert record["Config"]["Cmd"] == ["sleep", "1000"]
    assert record["HostConfig"]["NetworkMode"] == "none"
    rootless("rm", "-f", "web")


def test_wait_from_two_sides(rootless: Rootless, busybox_image: str) -> None:
    start(rootless, busybox_image, "sh", "-c", "sleep 1; exit 4")
    waiting = rootless.start("wait", "web")
    assert rootless("wait", "web").stdout == "4\n"
    assert waiting.communicate(timeout=10)[0] == b"4\n"
    rootless("rm", "web")


@pytest.mark.parametrize("verb", ["start", "stop", "kill", "rm", "logs", "inspect", "wait", "top", "restart"])
def test_unknown_container(rootless: Rootless, verb: str) -> None:
    done = rootless(verb, "nobody", status=1)
    assert "nobody" in done.stderr
    assert len(done.stderr.splitlines()) <= 2


def test_stop_waits_for_all_at_once(rootless: Rootless, busybox_image: str) -> None:
    names = [f"deaf{number}" for number in range(8)]
    for name in names:
        rootless("run", "-d", "--name", name, "--network", "none", busybox_image, "sleep", "600")
    # sleep as PID 1 hears no SIGTERM: one after the other this would take longer than the limit.
    assert rootless("stop", "-t", "5", *names, timeout=25).lines == names
    assert rootless("ps", "-q").stdout == ""
    rootless("rm", *names)
