"""clone(2) as a fork into new namespaces: one call instead of unshare, fork, fork.

os.fork() takes no flags. The raw call leaves the C library's idea of the thread's id stale,
which only matters to functions that signal their own thread; Python's own state is put right
by the same hooks that os.fork() uses. Callers are single-threaded. Hot path.
"""

from __future__ import annotations

import errno
import os

from rootless.linux import ctypes, signal
from rootless.linux.libc import libc_locked
from rootless.record import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

CLONE_PARENT = 0x00008000
_CLONE_INTO_CGROUP = 0x2_0000_0000
_CLONE3 = 435
TOO_OLD = (errno.ENOSYS, errno.E2BIG, errno.EINVAL, errno.EOPNOTSUPP)
"""errno of `clone_into` where this kernel, or a filter, does not let it: clone and move."""

# clone(2), not clone3(2): Docker's seccomp profile answers the latter with ENOSYS, and all of
# what a container needs fits the old flags.
_NUMBER = {"x86_64": 56, "aarch64": 220}

_before = ctypes.pythonapi.PyOS_BeforeFork
_after_in_child = ctypes.pythonapi.PyOS_AfterFork_Child
_after_in_parent = ctypes.pythonapi.PyOS_AfterFork_Parent
for _hook in (_before, _after_in_child, _after_in_parent):
    _hook.restype = None
    _hook.argtypes = ()


def clone(flags: int) -> int:
    """Fork with `flags` (CLONE_NEW*, CLONE_PARENT): 0 in the child, else its pid.

    OSError as clone(2) gives it; ENOSYS on architectures we have no number for.
    """
    number = _NUMBER.get(os.uname().machine, -1)
    zero = ctypes.c_long(0)
    word = ctypes.c_long(flags | signal.SIGCHLD)
    return _fork(ctypes.c_long(number), word, zero, zero, zero, zero)


def clone_into(flags: int, cgroup: int) -> int:
    """As `clone`, into the cgroup of the descriptor `cgroup`: clone3(2), Linux 5.7.

    Saves writing cgroup.procs, whose lock stops every fork on the machine. OSError besides clone's: TOO_OLD;
    EACCES: not allowed to move there; EAGAIN: the cgroup's limit of processes.
    """
    # struct clone_args: flags pidfd child_tid parent_tid exit_signal stack stack_size tls set_tid set_tid_size cgroup
    exit_signal = 0 if flags & CLONE_PARENT else int(signal.SIGCHLD)
    words = (ctypes.c_uint64 * 11)(flags | _CLONE_INTO_CGROUP, 0, 0, 0, exit_signal, 0, 0, 0, 0, 0, cgroup)
    return _fork(ctypes.c_long(_CLONE3), ctypes.byref(words), ctypes.c_size_t(ctypes.sizeof(words)))


def fork_into(cgroup: str) -> tuple[int, bool]:
    """Fork into the cgroup at that path: fork(2)'s result, and whether the child is there.

    Where only systemd can move it there (join.join), the child is not; with an empty `cgroup` it stays where we
    are, which counts as there. NotFound where the cgroup is gone, Conflict where it may hold no more processes.
    """
    if not cgroup:
        return os.fork(), True
    from rootless.cgroup import cgroupfs, join

    fd = join.open_cgroup(cgroup)
    try:
        return clone_into(0, fd), True
    except OSError as error:
        full = join.full(error, cgroup)
        if full is not None:
            raise full from None
        if error.errno == errno.ENODEV:
            raise cgroupfs.gone(cgroup, error) from None
        if error.errno not in (*TOO_OLD, errno.EACCES, errno.EPERM, errno.ENOENT):
            raise
        return os.fork(), False
    finally:
        os.close(fd)


def _fork(*arguments: Any) -> int:
    """The system call that makes a child, with what os.fork() does around it."""
    _before()
    # The interpreter lock is held throughout (PyDLL): the child must own it.
    result: int = libc_locked.syscall(*arguments)
    if result == 0:
        _after_in_child()
        return 0
    code = ctypes.get_errno()
    _after_in_parent()
    if result < 0:
        raise OSError(code, os.strerror(code))
    return result
