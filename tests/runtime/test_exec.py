"""enter() and namespaces shared between containers."""

from __future__ import annotations

import os
import signal

import pytest

from rootless.linux.process import start_time
from tests.runtime.conftest import Box, default_spec


@pytest.fixture
def running(box: Box) -> int:
    answer = box.run("sleep", "1000", background=True)
    return int(answer["pid"])


def test_it_is_inside(box: Box, running: int) -> None:
    answer = box.exec(
        running, "sh", "-c", "ps; hostname; ls /proc/self/fd; grep -e Seccomp: -e CapEff /proc/self/status"
    )
    assert answer["status"] == 0
    assert "sleep 1000" in answer["stdout"]
    assert "box" in answer["stdout"]
    assert "CapEff:\t00000000800405fb\nSeccomp:\t2" in answer["stdout"]


def test_streams_and_exit_status(box: Box, running: int) -> None:
    answer = box.exec(running, "sh", "-c", "cat; echo err >&2; exit 9", stdin="in")
    assert (answer["status"], answer["stdout"], answer["stderr"]) == (9, "in", "err\n")


def test_a_terminal(box: Box, running: int) -> None:
    assert box.exec(running, "tty", terminal=True)["stdout"] == "/dev/pts/0\r\n"


def test_another_user(box: Box, running: int) -> None:
    answer = box.exec(running, "id", process={"user": {"uid": 12, "gid": 13}})
    assert answer["stdout"].startswith("uid=12 gid=13")


def test_errors_are_dockers(box: Box, running: int) -> None:
    assert box.exec(running, "foo")["exit_code"] == 127
    assert box.exec(running, "/etc")["exit_code"] == 126
    assert "refusing" in box.exec(running, "/proc/self/exe")["error"]["message"]
    assert "working directory" in box.exec(running, "true", process={"cwd": "/no"})["error"]["message"]


def test_a_container_that_has_ended(box: Box, running: int) -> None:
    assert box.exec(running, "true", start_time=1)["error"]["kind"] == "Conflict"


def test_namespaces_of_another_container_are_joined_with_its_user_namespace(box: Box, running: int) -> None:
    first = {kind: os.stat(f"/proc/{running}/ns/{kind}").st_ino for kind in ("net", "pid", "user", "mnt")}
    box.spec = default_spec("sh")
    box.spec["linux"]["namespaces"] = [
        {"type": "mount"},
        {"type": "uts"},
        {"type": "network", "path": f"/proc/{running}/ns/net"},
        {"type": "pid", "path": f"/proc/{running}/ns/pid"},
        {"type": "ipc", "path": f"/proc/{running}/ns/ipc"},
    ]
    out = box.shell("ps; for n in net pid user mnt; do readlink /proc/self/ns/$n; done")
    assert "sleep 1000" in out
    assert all(f"{kind}:[{first[kind]}]" in out for kind in ("net", "pid", "user"))
    assert f"mnt:[{first['mnt']}]" not in out


def test_a_namespace_that_is_gone(box: Box) -> None:
    box.spec["linux"]["namespaces"][1] = {"type": "network", "path": "/proc/4194303/ns/net"}
    assert box.run("true")["error"]["kind"] == "NotFound"


def test_it_outlives_nothing(box: Box, running: int) -> None:
    began = start_time(running)
    os.kill(running, signal.SIGKILL)
    answer = box.exec(running, "true", start_time=began)
    assert answer["error"]["kind"] == "Conflict"
