"""The program of an uplink as a process: found, spawned with exactly the descriptors it needs, waited for until it says that
it is ready, its last messages read, stopped."""

from __future__ import annotations

import os
import select
import time

from rootless.errors import RootlessError, hint_for
from rootless.linux.signals import SENT_TO_JOBS
from rootless.record import TYPE_CHECKING, Record

if TYPE_CHECKING:
    from collections.abc import Sequence

EXIT_FD, READY_FD, FIRST_FD = 3, 4, 5
"""Numbers in the child: what it is to end with, what it is to write to when it is ready, the first of `descriptors`."""
READY_TIMEOUT_S = 20.0

_SIGKILL = 9
_PASSED_ON = ("PATH", "LD_LIBRARY_PATH", "HOME")


class UplinkProcess(Record):
    """The process and our ends of its pipes: it ends when the last copy of `exit_fd` is closed."""

    pid: int
    exit_fd: int
    ready_fd: int
    stderr_fd: int


class NotReady(Exception):
    """The time is over, or the program has ended: then its stderr is the argument."""


def spawn(path: str, argv: list[str], descriptors: Sequence[int]) -> UplinkProcess:
    """Start it: 0-2 as usual, EXIT_FD, READY_FD, copies of `descriptors` from FIRST_FD on, and nothing else of ours.

    RootlessError where it cannot be executed.
    """
    opened: list[int] = []
    try:
        for _ in range(3):
            opened += os.pipe()
        # Its stderr has no reader while ports are published, a line for each: it must not block on that.
        os.set_blocking(opened[5], False)
        null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
        opened.append(null)
        exit_r, exit_w, ready_r, ready_w, stderr_r, stderr_w = opened[:6]
        _keep_to_ourselves()
        child = os.posix_spawn(
            path,
            argv,
            {key: os.environ[key] for key in _PASSED_ON if key in os.environ},
            file_actions=_file_actions([null, null, stderr_w, exit_r, ready_w, *descriptors]),
            # Blocked, not ignored: pasta has handlers of its own for some. It ends with the container, not by them.
            setsigmask=SENT_TO_JOBS,
        )
    except OSError as error:
        for fd in opened:
            os.close(fd)
        raise RootlessError(f"cannot start {path}: {error.strerror}", hint=hint_for(error)) from error
    for fd in opened:
        if fd not in (exit_w, ready_r, stderr_r):
            os.close(fd)
    return UplinkProcess(child, exit_w, ready_r, stderr_r)


def _file_actions(sources: list[int]) -> list[tuple[int, ...]]:
    """Source N becomes descriptor N of the child; what is not close-on-exec stays open beside them."""
    # Moved above all targets and sources first: a dup2 must not hit the next one's source. Not to any
    # number that is high enough for sure: it would be beyond a low RLIMIT_NOFILE.
    base = max(*sources, len(sources)) + 1
    moved = [(os.POSIX_SPAWN_DUP2, source, base + number) for number, source in enumerate(sources)]
    placed = [(os.POSIX_SPAWN_DUP2, base + number, number) for number in range(len(sources))]
    return [*moved, *placed, *((os.POSIX_SPAWN_CLOSE, base + number) for number in range(len(sources)))]


def _keep_to_ourselves() -> None:
    """Have what the caller's shell may have left us close at an exec. In the child it could not be closed:
    posix_spawn takes no number beyond RLIMIT_NOFILE, and what was opened before that was lowered has one."""
    for text in os.listdir("/proc/self/fd"):
        try:
            if int(text) > 2:
                os.set_inheritable(int(text), False)
        except OSError:
            continue  # the one that listed the directory


def wait_until_ready(running: UplinkProcess, timeout_s: float) -> None:
    """Until it has written to READY_FD, whose other end is closed then. NotReady, and on any error it is stopped."""
    try:
        deadline = time.monotonic() + timeout_s
        poll = select.poll()
        poll.register(running.ready_fd, select.POLLIN)
        while not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
            if time.monotonic() >= deadline:
                raise NotReady
        if not os.read(running.ready_fd, 32):
            raise NotReady(_last_words(running))
    except BaseException:
        os.close(running.ready_fd)
        stop(running)
        raise
    os.close(running.ready_fd)


def _last_words(running: UplinkProcess) -> str:
    """The stderr of one that is about to end, since it closed the ready pipe; bounded."""
    poll = select.poll()
    poll.register(running.stderr_fd, select.POLLIN)
    text = b""
    while len(text) < 1 << 16 and poll.poll(1000):
        chunk = os.read(running.stderr_fd, 4096)
        if not chunk:
            break
        text += chunk
    return text.decode(errors="replace")


def stop(running: UplinkProcess, *, kill: bool = True) -> None:
    """Kill it, or let the end of `exit_fd` end it where it has something to end in its turn; reap it, close our ends of its
    pipes."""
    os.close(running.exit_fd)
    os.close(running.stderr_fd)
    try:
        if kill:
            os.kill(running.pid, _SIGKILL)
        os.waitpid(running.pid, 0)
    except (ProcessLookupError, ChildProcessError):
        pass
