"""Capabilities of this thread (capabilities(7)), by name. Hot path."""

from __future__ import annotations

import errno

from rootless.linux import ctypes
from rootless.linux.libc import number, syscall
from rootless.linux.process import prctl
from rootless.record import TYPE_CHECKING, Record

if TYPE_CHECKING:
    from collections.abc import Set

CAPABILITIES: dict[str, int] = {
    name: bit
    for bit, name in enumerate(
        (
            "CAP_CHOWN",
            "CAP_DAC_OVERRIDE",
            "CAP_DAC_READ_SEARCH",
            "CAP_FOWNER",
            "CAP_FSETID",
            "CAP_KILL",
            "CAP_SETGID",
            "CAP_SETUID",
            "CAP_SETPCAP",
            "CAP_LINUX_IMMUTABLE",
            "CAP_NET_BIND_SERVICE",
            "CAP_NET_BROADCAST",
            "CAP_NET_ADMIN",
            "CAP_NET_RAW",
            "CAP_IPC_LOCK",
            "CAP_IPC_OWNER",
            "CAP_SYS_MODULE",
            "CAP_SYS_RAWIO",
            "CAP_SYS_CHROOT",
            "CAP_SYS_PTRACE",
            "CAP_SYS_PACCT",
            "CAP_SYS_ADMIN",
            "CAP_SYS_BOOT",
            "CAP_SYS_NICE",
            "CAP_SYS_RESOURCE",
            "CAP_SYS_TIME",
            "CAP_SYS_TTY_CONFIG",
            "CAP_MKNOD",
            "CAP_LEASE",
            "CAP_AUDIT_WRITE",
            "CAP_AUDIT_CONTROL",
            "CAP_SETFCAP",
            "CAP_MAC_OVERRIDE",
            "CAP_MAC_ADMIN",
            "CAP_SYSLOG",
            "CAP_WAKE_ALARM",
            "CAP_BLOCK_SUSPEND",
            "CAP_AUDIT_READ",
            "CAP_PERFMON",
            "CAP_BPF",
            "CAP_CHECKPOINT_RESTORE",
        )
    )
}

_PR_CAPBSET_READ = 23
_PR_CAPBSET_DROP = 24
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_IS_SET = 1
_PR_CAP_AMBIENT_RAISE = 2
_PR_CAP_AMBIENT_CLEAR_ALL = 4
_VERSION_3 = 0x20080522


class _Header(ctypes.Structure):
    _fields_ = [("version", ctypes.c_uint32), ("pid", ctypes.c_int)]


class _Data(ctypes.Structure):
    _fields_ = [
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("inheritable", ctypes.c_uint32),
    ]


class CapabilitySets(Record):
    """The five sets of a thread, as capability names this kernel has (unknown bits are left out)."""

    effective: frozenset[str]
    permitted: frozenset[str]
    inheritable: frozenset[str]
    bounding: frozenset[str]
    ambient: frozenset[str]


_last_cap = -1


def last_cap() -> int:
    """The highest capability number this kernel knows."""
    global _last_cap
    if _last_cap < 0:
        _last_cap = _read_last_cap()
    return _last_cap


def _read_last_cap() -> int:
    try:
        with open("/proc/sys/kernel/cap_last_cap", "rb", buffering=0) as file:
            return int(file.read())
    except FileNotFoundError:  # no /proc here (a container's early life): ask the kernel
        bit = len(CAPABILITIES) - 1
        while bit > 0 and not _has(_PR_CAPBSET_READ, bit):
            bit -= 1
        return bit


def _has(option: int, arg2: int, arg3: int = 0) -> bool:
    try:
        return prctl(option, arg2, arg3) == 1
    except OSError as error:
        if error.errno == errno.EINVAL:  # this kernel has no such capability
            return False
        raise


def _mask(names: Set[str]) -> int:
    mask = 0
    for name in names:
        mask |= 1 << CAPABILITIES[name]
    return mask


def _names(mask: int) -> frozenset[str]:
    return frozenset(name for name, bit in CAPABILITIES.items() if mask >> bit & 1)


def _capget() -> tuple[int, int, int]:
    header = _Header(_VERSION_3, 0)
    data = (_Data * 2)()
    syscall(number("capget"), ctypes.byref(header), ctypes.byref(data))
    low, high = data[0], data[1]
    return (
        low.effective | high.effective << 32,
        low.permitted | high.permitted << 32,
        low.inheritable | high.inheritable << 32,
    )


def _capset(effective: int, permitted: int, inheritable: int) -> None:
    header = _Header(_VERSION_3, 0)
    data = (_Data * 2)()
    for half, shift in ((data[0], 0), (data[1], 32)):
        half.effective = effective >> shift & 0xFFFFFFFF
        half.permitted = permitted >> shift & 0xFFFFFFFF
        half.inheritable = inheritable >> shift & 0xFFFFFFFF
    syscall(number("capset"), ctypes.byref(header), ctypes.byref(data))


def get_capabilities() -> CapabilitySets:
    """The sets of the calling thread."""
    effective, permitted, inheritable = _capget()
    return CapabilitySets(
        _names(effective),
        _names(permitted),
        _names(inheritable),
        frozenset(name for name, bit in CAPABILITIES.items() if _has(_PR_CAPBSET_READ, bit)),
        frozenset(
            name for name, bit in CAPABILITIES.items() if _has(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_IS_SET, bit)
        ),
    )


def drop_bounding(keep: Set[str]) -> None:
    """Drop all but `keep` from the bounding set; needs CAP_SETPCAP in effect, unless nothing
    is left to drop. Capabilities newer than our table, up to the kernel's last, go too."""
    kept = _mask(keep)
    for bit in range(last_cap() + 1):
        if kept >> bit & 1:
            continue
        try:
            prctl(_PR_CAPBSET_DROP, bit)
        except OSError:
            if _has(_PR_CAPBSET_READ, bit):
                raise


def set_capabilities(
    *,
    effective: Set[str],
    permitted: Set[str],
    inheritable: Set[str],
    bounding: Set[str],
    ambient: Set[str],
) -> None:
    """Set all five sets of the calling thread, in the only order that works; names of CAPABILITIES.

    KeyError for an unknown name (check before), EPERM for what is not permitted now. A change of
    uid clears sets: call this after it, with set_keep_capabilities() before it. An ambient
    capability must be permitted and inheritable too.
    """
    # After a change of uid under PR_SET_KEEPCAPS nothing is in effect, and the bounding set
    # needs CAP_SETPCAP: take all that is permitted for the time being.
    _, permitted_now, inheritable_now = _capget()
    _capset(permitted_now, permitted_now, inheritable_now)
    drop_bounding(bounding)
    prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL)
    _capset(_mask(effective), _mask(permitted), _mask(inheritable))
    for name in ambient:
        prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, CAPABILITIES[name])
