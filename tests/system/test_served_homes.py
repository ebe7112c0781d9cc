"""A home whose file server refuses or does not answer: who is told so, and what goes on without it."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.harness.command import Rootless
from tests.need import need_program
from tests.system.test_two_places import NOW, fuse_home, fuse_server, nodes  # noqa: F401 - fixtures


@pytest.mark.own_store
def test_a_server_that_refuses(rootless: Rootless, busybox_archive: Path, fuse_home: Path, nodes: list[Path]) -> None:  # noqa: F811
    """As an export that was withdrawn, what is the user's own is refused to him: what would be made there says whose server it is."""
    store = fuse_home / "store"
    environment = {"ROOTLESS_ROOT": str(store), "ROOTLESS_LOCAL": str(nodes[0])}
    rootless("load", "-q", "-i", busybox_archive, env=environment)
    rootless("rmi", "busybox", env=environment)
    served = fuse_home.parent / "upper/store"
    served.chmod(0)
    try:
        for words in (("load", "-q", "-i", busybox_archive), ("volume", "create", "data")):
            error = rootless(*words, env=environment, status=1).stderr
            assert "permission denied" in error.lower(), words
            assert f"the server of {fuse_home} (fuse.fuse-overlayfs) says so" in error
            assert f"or to mount {fuse_home} again" in error
    finally:
        served.chmod(0o700)


@pytest.mark.own_store
def test_a_server_that_does_not_answer(
    rootless: Rootless, busybox_archive: Path, fuse_server: tuple[subprocess.Popen[bytes], Path], nodes: list[Path], tmp_path: Path  # noqa: F811
) -> None:
    """What a container runs and what is asked about it needs no server; what does says for whom it waits, goes on when that
    answers, and ends at Ctrl-C."""
    need_program("squashfuse_ll")
    server, home = fuse_server
    environment = {"ROOTLESS_ROOT": str(home / "store"), "ROOTLESS_LOCAL": str(nodes[0])}
    rootless("load", "-q", "-i", busybox_archive, env=environment)
    (tmp_path / "noise").write_bytes(os.urandom(32 << 20))  # more than is read ahead
    (tmp_path / "Dockerfile").write_text("FROM busybox\nCOPY noise /noise\nRUN mkdir /lib; cp /bin/busybox /lib/; echo >>/lib/busybox\n")
    rootless("build", "-q", "-t", "tool", tmp_path, env=environment)
    environment["ROOTLESS_LOCAL"] = str(nodes[1])  # a second machine: it runs the one file
    for name in ("box", "gone"):
        rootless("run", "-d", "--name", name, *NOW, "tool", "sh", "-c", "echo up; sleep 1000", env=environment)
    for file in (home / "store/images/sqfs").iterdir():
        with file.open("rb") as opened:
            os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    server.send_signal(signal.SIGSTOP)
    told = f"the server of {home} (fuse.fuse-overlayfs)"

    def waiting(*words: str) -> subprocess.Popen[bytes]:
        """The command, when it has said for whom it waits."""
        process = rootless.start(*words, env=environment)
        assert process.stderr is not None
        assert told in (said := process.stderr.readline().decode()), said
        assert "Ctrl-C ends the wait" in process.stderr.readline().decode()
        return process

    assert len(rootless("ps", "-q", env=environment).lines) == 2
    assert rootless("logs", "box", env=environment).lines == ["up"]
    assert rootless("exec", "box", "echo", "here", env=environment).lines == ["here"]
    assert rootless("inspect", "-f", "{{.State.Status}}", "box", env=environment).lines == ["running"]
    rootless("stop", "-t", "0", "gone", env=environment)
    rootless("rm", "gone", env=environment)
    started = [waiting(*words) for words in (("exec", "box", "/lib/busybox", "echo", "late"), ("images", "-q"), ("volume", "ls", "-q"))]
    for words, status in ((("run", "--rm", *NOW, "tool", "true"), -signal.SIGINT), (("exec", "box", "/lib/busybox", "true"), 130)):
        interrupted = waiting(*words)
        interrupted.send_signal(signal.SIGINT)
        assert interrupted.wait(60) == status
    assert [process.poll() for process in started] == [None, None, None]
    server.send_signal(signal.SIGCONT)
    outputs = [process.communicate(timeout=60) for process in started]
    assert [(process.returncode, errors) for process, (_, errors) in zip(started, outputs, strict=True)] == [(0, b"")] * 3
    assert outputs[0][0] == b"late\n"
    assert len(outputs[1][0].split()) == 2
    rootless("rm", "-f", "box", env=environment)


@pytest.mark.own_store
@pytest.mark.parametrize("where", ["store", "link", "local", "config"])
def test_the_first_command_of_a_machine(
    rootless: Rootless, fuse_server: tuple[subprocess.Popen[bytes], Path], tmp_path: Path, where: str  # noqa: F811
) -> None:
    """Where containers can be is not known yet: it looks there, by a link, too, or at a place that was named; or into ~/.config."""
    server, home = fuse_server
    (tmp_path / "link").symlink_to(home)
    environment = {
        "store": {"ROOTLESS_ROOT": f"{home}/store"},
        "link": {"ROOTLESS_ROOT": f"{tmp_path}/link/store"},
        "local": {"ROOTLESS_LOCAL": f"{home}/local"},
        "config": {"XDG_CONFIG_HOME": f"{home}/config"},
    }[where]
    (home / "local").mkdir()
    server.send_signal(signal.SIGSTOP)
    started = [rootless.start("ps", env=environment) for _ in range(2)]
    for process in started:
        assert process.stderr is not None
        assert f"the server of {home} (fuse.fuse-overlayfs)" in (said := process.stderr.readline().decode()), said
        assert "Ctrl-C ends the wait" in process.stderr.readline().decode()
    started[0].send_signal(signal.SIGINT)
    assert started[0].wait(60) == -signal.SIGINT
    assert started[1].poll() is None
    server.send_signal(signal.SIGCONT)
    said = started[1].communicate(timeout=60)[1].decode()
    assert started[1].returncode == (1 if where == "local" else 0), said
