"""What a process inherits from its caller and must not depend on: umask, ignored signals, a low RLIMIT_NOFILE.

Normalised once, when the program starts; programs of the caller's get it back. Below everything. HOT.
"""

from __future__ import annotations

import os

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

umask = OURS
"""The caller's."""

descriptors: tuple[int, int] | None = None
"""The caller's RLIMIT_NOFILE, soft and hard, where we have raised our own."""


def normalise() -> None:
    """Take our own umask, have ended children told, and raise a low limit of open files as far as we may."""
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


def give_descriptors_back() -> None:
    """In a process that becomes the user's: the caller's limit of open files. What is open stays open."""
    if descriptors is not None:
        import resource

        resource.setrlimit(resource.RLIMIT_NOFILE, descriptors)


def give_back() -> None:
    """In a process that becomes a program of the user's on the host: the caller's umask and limit."""
    os.umask(umask)
    give_descriptors_back()
