"""What a process inherits and must not depend on: umask, ignored signals, a low RLIMIT_NOFILE, the machine's clock.

Normalised once, when the program starts; programs of the caller's get it back. Below everything. Hot path.
"""

from __future__ import annotations

import os
import sys

from rootless.record import TYPE_CHECKING

if TYPE_CHECKING:
    import signal
else:
    try:
        import _signal as signal  # as linux/signal.py, which is above us
    except ImportError:
        import signal

OURS = 0o022
"""The umask of everything we make. What is private says so with its mode, and nothing of ours is for others
to write. The user's own files and programs have the caller's: a --cidfile, an `unshare` shell, a
credential helper, what `enable` and `login` make below ~/.config."""

ENOUGH_DESCRIPTORS = 256
"""No command needs more open files than that; where fewer are allowed, the soft limit is raised."""

_YEAR_S = 31_536_000

umask = OURS
"""The caller's."""

descriptors: tuple[int, int] | None = None
"""The caller's RLIMIT_NOFILE, soft and hard, where we have raised our own."""

claim = ""
"""Of who starts a rank of `run --shared`: "N:HASH" (helpers/ranks/quick.h). Others wait for the lock of the descriptor N."""

_F_OFD_SETLK = 37

LAST_S = 253_402_300_799
"""9999-12-31T23:59:59Z in seconds since 1970: the last date that RFC 3339, and so an image or a log, can say."""


def normalise() -> None:
    """Take our own umask, have ended children told, raise a low limit of open files as far as we may, and
    have a time of day whatever the clock says."""
    global umask, descriptors
    umask = os.umask(OURS)
    if signal.getsignal(signal.SIGCHLD) == signal.SIG_IGN:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # else waitpid(2) knows no child of ours
    if 0 <= os.sysconf("SC_OPEN_MAX") < ENOUGH_DESCRIPTORS:
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = ENOUGH_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(ENOUGH_DESCRIPTORS, hard)
        if wanted > soft:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            descriptors = soft, hard
    _bear_the_clock()


def _bear_the_clock() -> None:
    """From 2262 on time.time() raises OverflowError, which the standard library's modules call when they are
    imported; before 1970 and from 10000 on there are no dates. Then our time begins at the nearest year with some,
    and goes on from there."""
    import time

    try:
        if 0 <= time.time() <= LAST_S:
            return
    except OverflowError:
        pass

    told = time.clock_gettime(time.CLOCK_REALTIME)
    shift = min(max(told, 0), LAST_S - _YEAR_S) - told

    def now() -> float:
        return time.clock_gettime(time.CLOCK_REALTIME) + shift

    def now_ns() -> int:
        return int(now() * 1e9)

    vars(time).update(time=now, time_ns=now_ns)


def take_claim(word: str) -> None:
    """The launcher's; not for what we execute."""
    global claim
    claim = word
    os.set_inheritable(int(word.partition(":")[0]), False)


def give_up_claim() -> None:
    """Let those go on who wait for us; children that have inherited the descriptor hold nothing by it."""
    global claim
    if claim:
        import fcntl

        fd = int(claim.partition(":")[0])
        claim = ""
        try:
            # struct flock of fcntl(2): F_UNLCK, from 0 on, all.
            fcntl.fcntl(fd, _F_OFD_SETLK, fcntl.F_UNLCK.to_bytes(2, sys.byteorder).ljust(32, b"\0"))
        finally:
            os.close(fd)


def leave_streams() -> None:
    """In a process that goes on without its caller: 0, 1 and 2 are /dev/null, and no pipe or terminal of his stays open by us."""
    null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
    for fd in range(3):
        os.dup2(null, fd)
    if null > 2:
        os.close(null)


def give_descriptors_back() -> None:
    """In a process that becomes the user's: the caller's limit of open files. What is open stays open."""
    if descriptors is not None:
        import resource

        resource.setrlimit(resource.RLIMIT_NOFILE, descriptors)


def give_back() -> None:
    """In a process that becomes a program of the user's on the host: the caller's umask and limit."""
    os.umask(umask)
    give_descriptors_back()
