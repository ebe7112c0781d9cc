"""A child of ours that its container controls: who it is, and how it ends.

We know it by a descriptor from the kernel (pidfd_open(2) of our own child, whose number cannot be another's
before we have waited for it), never by a number in a message.

A wait status is an end only if it is one of exit or of a signal. A child can make us its tracer (PTRACE_TRACEME), stops for us then at
its next signal, and so do its threads and children: we let them go. Or a process of the container traces it:
then its end is kept for that one, and waitpid(2) has nothing for us. That it is dead, its pidfd shows all the
same, and how it ended, the host's /proc. Hot path.
"""

from __future__ import annotations

import os
import select
import time

from rootless.errors import RootlessError
from rootless.linux import signal
from rootless.record import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType

PATIENCE_S = 5.0
"""How long a killed process may take to end before it is left to its container."""
_STOPPED = (os.CLD_TRAPPED, os.CLD_STOPPED)


def open_child(pid: int) -> int:
    """A pidfd of our child `pid`, which nobody has waited for; RootlessError where it is no child of ours."""
    pidfd = -1
    try:
        pidfd = os.pidfd_open(pid)
        os.waitid(os.P_PIDFD, pidfd, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except (OSError, OverflowError):
        if pidfd >= 0:
            os.close(pidfd)
        raise RootlessError("a process of the launch was tampered with: it is no child of ours") from None
    return pidfd


def exit_code(status: int) -> int:
    """The exit code that a shell shows for a wait status: 128+n for a signal."""
    return os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status)


def look_after(pid: int) -> None:
    """Let go of every process that has made us its tracer, and reap what else has ended, but for our child `pid`.

    To be called when a SIGCHLD came. The caller has no other children that it waits for.
    """
    while True:
        try:
            # Stops of tracees are reported without being asked for.
            found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if found is None or (found.si_pid == pid and found.si_code not in _STOPPED):
                return
            os.waitid(os.P_PID, found.si_pid, os.WEXITED | os.WNOHANG)
        except ChildProcessError:
            return
        if found.si_code in _STOPPED:
            from rootless.linux import ptrace

            ptrace.let_go(found.si_pid, found.si_status & 0x7F)


def reap(pid: int, pidfd: int) -> int:
    """The wait status of our child, whose pidfd is readable: it is dead. It is a zombie still where a tracer in
    the container holds it. RootlessError, exit code 137, where how it ended cannot be known."""
    found = _take(pidfd)
    if found is None:
        return _held(pid)
    if found.si_code == os.CLD_EXITED:
        return found.si_status << 8
    return found.si_status | (0x80 if found.si_code == os.CLD_DUMPED else 0)


def _take(pidfd: int) -> os.waitid_result | None:
    """The end of our child, which is dead, taken; None where it is not to be had."""
    while (found := os.waitid(os.P_PIDFD, pidfd, os.WEXITED | os.WNOHANG)) is not None:
        if found.si_code not in _STOPPED:
            return found
    return None


def _held(pid: int) -> int:
    """exit_code of proc_pid_stat(5), which reads as 0 without the right to trace it; that right shows in ns/ as well."""
    try:
        os.readlink(f"/proc/{pid}/ns/user")
        with open(f"/proc/{pid}/stat", "rb", buffering=0) as file:
            return int(file.read().rpartition(b")")[2].split()[49])
    except (OSError, IndexError, ValueError):
        error = RootlessError("the command has ended, and how is kept by a process that traces it in the container")
        error.exit_code = 137
        raise error from None


def wait(pid: int, pidfd: int) -> int:
    """Wait for the end of our child; its wait status. As `reap` and `look_after`."""
    poller = select.poll()
    poller.register(pidfd, select.POLLIN)
    with Arrivals() as arrivals:
        poller.register(arrivals.fd, select.POLLIN)
        while True:
            arrivals.clear()
            look_after(pid)
            if any(fd == pidfd for fd, _ in poller.poll()):
                return reap(pid, pidfd)


def end(pidfd: int) -> None:
    """Kill our child and reap it. Where a tracer in its container holds it even then, it is left to that: it goes
    with the container."""
    try:
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    except ProcessLookupError:
        pass
    poller = select.poll()
    poller.register(pidfd, select.POLLIN)
    deadline = time.monotonic() + PATIENCE_S
    while not poller.poll(100):
        if time.monotonic() > deadline:
            return
    try:
        _take(pidfd)
    except ChildProcessError:
        pass  # it has been waited for


class Arrivals:
    """While entered, `fd` is readable when a child of ours has ended or stopped, or another signal has come."""

    def __enter__(self) -> Arrivals:
        self.fd, self._write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._before = signal.signal(signal.SIGCHLD, _noted)
        self._wakeup = signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        return self

    def __exit__(self, *_: object) -> None:
        signal.set_wakeup_fd(self._wakeup)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL if self._before is None else self._before)
        os.close(self.fd)
        os.close(self._write)

    def clear(self) -> None:
        """Empty the pipe, before the children are looked at."""
        try:
            while os.read(self.fd, 512):
                pass
        except BlockingIOError:
            pass


def _noted(_number: int, _frame: FrameType | None) -> None:
    """Python writes to the wake-up descriptor; there is nothing else to do."""
