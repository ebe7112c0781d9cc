"""Namespaces: unshare(2), setns(2) and the questions of ioctl_ns(2).

os.unshare and os.setns exist only from Python 3.12 on. Hot path.
"""

from __future__ import annotations

import fcntl
import os

from rootless.linux import ctypes
from rootless.linux.libc import libc, raise_errno

CLONE_NEWTIME = 0x00000080
CLONE_NEWNS = 0x00020000
CLONE_NEWCGROUP = 0x02000000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

_NS_GET_USERNS = 0xB701
_NS_GET_PARENT = 0xB702
_NS_GET_NSTYPE = 0xB703
_NS_GET_OWNER_UID = 0xB704

_unshare = libc.unshare
_unshare.argtypes = (ctypes.c_int,)
_setns = libc.setns
_setns.argtypes = (ctypes.c_int, ctypes.c_int)


def unshare(flags: int) -> None:
    """unshare(2). ENOSPC: a limit under /proc/sys/user; EPERM: forbidden here (a policy, a
    sandbox's seccomp filter, or a chroot)."""
    if _unshare(flags) != 0:
        raise_errno()


def setns(fd: int, flags: int = 0) -> None:
    """setns(2): join the namespace of `fd`, or those of a pidfd named by `flags`.

    EINVAL for CLONE_NEWUSER: the process has several threads, or is in that namespace already.
    """
    if _setns(fd, flags) != 0:
        raise_errno()


def owning_user_namespace(fd: int) -> int:
    """NS_GET_USERNS: a descriptor of the user namespace that owns the namespace `fd`.
    EPERM: it is out of our sight, that is, above ours."""
    return _set_cloexec(fcntl.ioctl(fd, _NS_GET_USERNS))


def parent(fd: int) -> int:
    """NS_GET_PARENT: a descriptor of the parent of a user or pid namespace; EPERM above ours."""
    return _set_cloexec(fcntl.ioctl(fd, _NS_GET_PARENT))


def _set_cloexec(fd: int) -> int:
    # The kernel sets it already; this documents and guards that.
    os.set_inheritable(fd, False)
    return fd


def ns_type(fd: int) -> int:
    """NS_GET_NSTYPE: the CLONE_NEW* of the namespace `fd`. ENOTTY: not a namespace."""
    return fcntl.ioctl(fd, _NS_GET_NSTYPE)


def owner_uid(fd: int) -> int:
    """NS_GET_OWNER_UID: who created the user namespace `fd`, as our own namespace numbers users
    (the overflow uid where it has no number here). EINVAL: not a user namespace."""
    buffer = bytearray(4)
    fcntl.ioctl(fd, _NS_GET_OWNER_UID, buffer)
    return int.from_bytes(buffer, "little")


def identity(fd_or_path: int | str) -> tuple[int, int]:
    """(device, inode) of a namespace: equal for equal namespaces while one of them is held."""
    status = os.stat(fd_or_path)
    return status.st_dev, status.st_ino
