"""Processes: who they are beyond a number that is used again, and what prctl(2) sets on ours.

A process is (pid, start time, boot id). Hot path.
"""

from __future__ import annotations

import os

from rootless.linux import ctypes
from rootless.linux.libc import libc, number, raise_errno, syscall

CLOSE_RANGE_UNSHARE = 2
CLOSE_RANGE_CLOEXEC = 4

PER_LINUX = 0x0000
PER_LINUX32 = 0x0008
ADDR_NO_RANDOMIZE = 0x0040000

_PR_SET_PDEATHSIG = 1
_PR_GET_DUMPABLE = 3
_PR_SET_DUMPABLE = 4
_PR_SET_KEEPCAPS = 8
_PR_SET_NAME = 15
_PR_SET_CHILD_SUBREAPER = 36
_PR_SET_NO_NEW_PRIVS = 38
_PR_GET_NO_NEW_PRIVS = 39

_prctl = libc.prctl
_prctl.argtypes = (ctypes.c_int, ctypes.c_ulong, ctypes.c_ulong, ctypes.c_ulong, ctypes.c_ulong)
_personality = libc.personality
_personality.argtypes = (ctypes.c_ulong,)


def prctl(option: int, arg2: int = 0, arg3: int = 0, arg4: int = 0, arg5: int = 0) -> int:
    """prctl(2) with numbers as arguments."""
    result: int = _prctl(option, arg2, arg3, arg4, arg5)
    if result == -1:
        raise_errno()
    return result


def _stat(pid: int) -> tuple[str, int, int]:
    """(state letter, start time in ticks, parent) from /proc/PID/stat, proc_pid_stat(5)."""
    try:
        fd = os.open(f"/proc/{pid}/stat", os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise ProcessLookupError(3, "No such process", f"/proc/{pid}") from None
    try:
        line = os.read(fd, 4096)  # ESRCH, also a ProcessLookupError, when it went meanwhile
    finally:
        os.close(fd)
    # The name in parentheses may itself hold spaces and parentheses.
    fields = line[line.rindex(b")") + 2 :].split()
    return fields[0].decode(), int(fields[19]), int(fields[1])


def start_time(pid: int) -> int:
    """Clock ticks from boot to the start of `pid` (field 22 of its stat, proc_pid_stat(5)).

    Raises ProcessLookupError when there is no such process; a zombie still has one.
    """
    return _stat(pid)[1]


def parent(pid: int) -> int:
    """The pid of the parent of `pid`, or of who has adopted it. ProcessLookupError when there is no such process."""
    return _stat(pid)[2]


def children_by_parent() -> dict[int, list[int]]:
    """All processes that /proc shows now, as pid -> pids of the children it has or has adopted."""
    found: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):
        if name.isdecimal():
            try:
                found.setdefault(parent(int(name)), []).append(int(name))
            except OSError:
                continue  # it has ended, or another user's are hidden (hidepid)
    return found


def descendants(pid: int) -> list[int]:
    """`pid`, its children, theirs and so on; one that ends meanwhile may be missing with what is below it."""
    children = children_by_parent()
    found = [pid]
    for each in found:
        found += children.get(each, [])
    return found


def alive(pid: int, start_time: int) -> bool:
    """Whether the process that started then still runs; a zombie is dead."""
    try:
        state, started, _ = _stat(pid)
    except ProcessLookupError:
        return False
    return started == start_time and state not in "ZXx"


def stopped(pid: int) -> bool:
    """Whether `pid` has been stopped by a signal or a tracer; not where it is gone."""
    try:
        return _stat(pid)[0] in "Tt"
    except ProcessLookupError:
        return False


def pidfd_open_checked(pid: int, start_time: int) -> int:
    """pidfd_open(2) of the very process that started then; ProcessLookupError when it is gone.

    The descriptor is opened first and the start time read afterwards, so that the pid cannot
    have changed hands in between. Close-on-exec, the caller's to close.
    """
    fd = os.pidfd_open(pid)
    try:
        if not alive(pid, start_time):
            raise ProcessLookupError(3, "No such process", f"/proc/{pid}")
    except BaseException:
        os.close(fd)
        raise
    return fd


_boot_id = ""


def boot_id() -> str:
    """The kernel's random name for this boot (random(4))."""
    global _boot_id
    if not _boot_id:
        with open("/proc/sys/kernel/random/boot_id", "rb", buffering=0) as file:
            _boot_id = file.read().decode().strip()
    return _boot_id


def pid_namespace() -> int:
    """The inode of our pid namespace: pids of another one mean nothing here. 0 without /proc."""
    try:
        return os.stat("/proc/self/ns/pid").st_ino
    except OSError:
        return 0


def thread_count() -> int:
    """How many threads this process has, whoever started them; setns(2) of a user namespace needs one."""
    return len(os.listdir("/proc/self/task"))


def set_child_subreaper(on: bool = True) -> None:
    """PR_SET_CHILD_SUBREAPER(2const): orphans below become our children. Not inherited."""
    prctl(_PR_SET_CHILD_SUBREAPER, int(on))


def set_no_new_privs() -> None:
    """PR_SET_NO_NEW_PRIVS(2const): no exec gains rights any more, for us and all below, for good."""
    prctl(_PR_SET_NO_NEW_PRIVS, 1)


def no_new_privs() -> bool:
    """PR_GET_NO_NEW_PRIVS(2const)."""
    return prctl(_PR_GET_NO_NEW_PRIVS) == 1


def set_pdeathsig(signal: int) -> None:
    """PR_SET_PDEATHSIG(2const): the signal we get when the *thread* that made us ends; 0 for none.

    Lost at an exec that changes credentials and at changes of uid: set it after those. A parent
    that died before cannot be noticed by it: compare os.getppid() afterwards.
    """
    prctl(_PR_SET_PDEATHSIG, signal)


def set_dumpable(on: bool) -> None:
    """PR_SET_DUMPABLE(2const). Off, /proc/PID belongs to root and nobody unprivileged may trace us."""
    prctl(_PR_SET_DUMPABLE, int(on))


def dumpable() -> int:
    """PR_GET_DUMPABLE(2const): 0, 1 or 2 (set by the kernel after a change of credentials)."""
    return prctl(_PR_GET_DUMPABLE)


def set_keep_capabilities(on: bool = True) -> None:
    """PR_SET_KEEPCAPS(2const): keep the permitted set when uid 0 is left. Reset by exec."""
    prctl(_PR_SET_KEEPCAPS, int(on))


def set_name(name: str) -> None:
    """PR_SET_NAME(2const): what `ps -o comm` shows; cut to 15 bytes."""
    buffer = ctypes.create_string_buffer(os.fsencode(name)[:15])
    prctl(_PR_SET_NAME, ctypes.addressof(buffer))


def personality(persona: int) -> int:
    """personality(2): set the execution domain; returns the one before. 0xffffffff only asks."""
    result: int = _personality(persona)
    if result == -1:
        raise_errno()
    return result


def close_range(first: int, last: int, flags: int = 0) -> None:
    """close_range(2): close all descriptors from `first` to `last`, both included, or with
    CLOSE_RANGE_CLOEXEC mark them. ENOSYS before Linux 5.9. EINVAL: CLOEXEC before 5.11."""
    syscall(number("close_range"), first, last, flags)


def pidfd_getfd(pidfd: int, fd: int) -> int:
    """pidfd_getfd(2): our own copy of another process's descriptor; EPERM unless we may trace it."""
    return syscall(number("pidfd_getfd"), pidfd, fd, 0)
