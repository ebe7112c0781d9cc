"""What ties a program that knows nothing of us to a pipe."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = "echo $PPID $$ >&2; exec sleep 1000"


class Tether:
    def __init__(self, helpers: Path, *argv: str, wrapper: tuple[str, ...] = (), pass_fds: tuple[int, ...] = ()) -> None:
        hold, self.held = os.pipe()
        words = [*wrapper, str(helpers / "rootless-tether"), "--hold", str(hold), "--", *argv]
        self.process = subprocess.Popen(words, pass_fds=(hold, *pass_fds), stderr=subprocess.PIPE, text=True)
        os.close(hold)

    def line(self) -> str:
        assert self.process.stderr is not None
        return self.process.stderr.readline()

    def let_go(self) -> None:
        os.close(self.held)

    def end(self) -> int:
        assert self.process.stderr is not None
        self.process.stderr.close()
        return self.process.wait(60)


def has_ended(pidfd: int) -> bool:
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    return bool(poll.poll(60_000))


@pytest.mark.parametrize("how", ["pipe", "kill"])
def test_the_program_ends_with_the_pipe_and_with_the_tether(helpers: Path, how: str) -> None:
    tether = Tether(helpers, "/bin/sh", "-c", PROGRAM)
    parent, child = map(int, tether.line().split())
    assert parent == tether.process.pid
    pidfd = os.pidfd_open(child)
    if how == "kill":
        tether.process.send_signal(signal.SIGKILL)
    tether.let_go()
    assert has_ended(pidfd), "the program outlived what it is tied to"
    os.close(pidfd)
    assert tether.end() == (-signal.SIGKILL if how == "kill" else 128 + signal.SIGKILL)


def test_its_status_is_the_programs(helpers: Path) -> None:
    assert Tether(helpers, "/bin/sh", "-c", "exit 7").end() == 7
    assert Tether(helpers, "/no/such/program").end() == 127


def test_a_descriptor_has_a_path_that_the_program_can_open(helpers: Path) -> None:
    """It may have closed all that it inherited."""
    reading, writing = os.pipe()
    code = "import os, sys; os.closerange(3, 4000); print(*sys.argv[1:], file=open(sys.argv[1], 'w'))"
    tether = Tether(helpers, sys.executable, "-c", code, f"@{writing}", "@nothing", pass_fds=(writing,))
    os.close(writing)
    assert os.read(reading, 100) == b"/proc/%d/fd/%d @nothing\n" % (tether.process.pid, writing)
    os.close(reading)
    assert tether.end() == 0


def test_it_keeps_no_capability(helpers: Path) -> None:
    """Or the program, which may have fewer, could not open what is named to it."""
    script = "grep -h ^CapPrm /proc/$PPID/status /proc/$$/status >&2"
    tether = Tether(helpers, "/bin/sh", "-c", script, wrapper=("unshare", "-Ur"))
    kept, programs = (int(tether.line().split()[1], 16) for _ in range(2))
    assert kept == 0
    assert programs != 0
    assert tether.end() == 0
