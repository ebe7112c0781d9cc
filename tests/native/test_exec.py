"""The program that executes a container's command: it does, or says why not."""

from __future__ import annotations

import errno
import json
import os
import socket
import subprocess
from pathlib import Path

import pytest


def test_it_becomes_the_command_and_the_channel_ends(helpers: Path) -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    fd = theirs.fileno()
    argv = [str(helpers / "rootless-exec"), str(fd), "/bin/sh", "name", "-c", f"echo $0; ls /proc/self/fd; test -e /proc/$$/fd/{fd}"]
    done = subprocess.run(argv, pass_fds=(fd,), capture_output=True, text=True, timeout=20, check=False)
    theirs.close()
    assert done.returncode == 1, "it is closed in the command"
    assert ours.recv(100) == b""


@pytest.mark.parametrize(("path", "number"), [("/no/such", errno.ENOENT), ("/etc", errno.EACCES)])
def test_what_cannot_be_executed(helpers: Path, path: str, number: int) -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    argv = [str(helpers / "rootless-exec"), str(theirs.fileno()), path, "x"]
    assert subprocess.run(argv, pass_fds=(theirs.fileno(),), timeout=20, check=False).returncode == 125
    theirs.close()
    assert json.loads(ours.recv(100)) == ["refused", {"errno": number}]
    done = subprocess.run([argv[0], "-1", path, "x"], capture_output=True, text=True, timeout=20, check=False)
    assert (done.returncode, done.stderr) == (127, os.strerror(number) + "\n")


@pytest.mark.parametrize("words", [[], ["-1"], ["-1", "/bin/true"], ["x", "/bin/true", "true"]])
def test_wrong_arguments(helpers: Path, words: list[str]) -> None:
    done = subprocess.run([str(helpers / "rootless-exec"), *words], capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 2
    assert "usage: rootless-exec" in done.stderr
