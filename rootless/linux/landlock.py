"""Landlock (landlock(7)): the three system calls, no policy. Hot path."""

from __future__ import annotations

from rootless.linux import ctypes
from rootless.linux.libc import number, syscall

LANDLOCK_CREATE_RULESET_VERSION = 1
LANDLOCK_RULE_PATH_BENEATH = 1
LANDLOCK_RULE_NET_PORT = 2
LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET = 1
LANDLOCK_SCOPE_SIGNAL = 2


class _RulesetAttr(ctypes.Structure):
    _fields_ = [
        ("handled_access_fs", ctypes.c_uint64),
        ("handled_access_net", ctypes.c_uint64),
        ("scoped", ctypes.c_uint64),
    ]


class _PathBeneathAttr(ctypes.Structure):
    _pack_ = 1
    _layout_ = "ms"  # what _pack_ implies; Python 3.14 wants it said
    _fields_ = [("allowed_access", ctypes.c_uint64), ("parent_fd", ctypes.c_int32)]


class _NetPortAttr(ctypes.Structure):
    _fields_ = [("allowed_access", ctypes.c_uint64), ("port", ctypes.c_uint64)]


def abi_version() -> int:
    """The kernel's Landlock ABI, 1 and up. ENOSYS: not built in; EOPNOTSUPP: not switched on."""
    return syscall(number("landlock_create_ruleset"), None, 0, LANDLOCK_CREATE_RULESET_VERSION)


def create_ruleset(handled_access_fs: int, handled_access_net: int = 0, scoped: int = 0) -> int:
    """landlock_create_ruleset(2): a descriptor, the caller's. Pass only what abi_version() knows."""
    attr = _RulesetAttr(handled_access_fs, handled_access_net, scoped)
    # An older kernel takes the shorter structure, and E2BIG for what it has no field for.
    size = 24 if scoped else 16 if handled_access_net else 8
    return syscall(number("landlock_create_ruleset"), ctypes.byref(attr), size, 0)


def add_path_beneath(ruleset_fd: int, parent_fd: int, *, allowed_access: int) -> None:
    """landlock_add_rule(2), LANDLOCK_RULE_PATH_BENEATH."""
    attr = _PathBeneathAttr(allowed_access, parent_fd)
    syscall(number("landlock_add_rule"), ruleset_fd, LANDLOCK_RULE_PATH_BENEATH, ctypes.byref(attr), 0)


def add_net_port(ruleset_fd: int, port: int, *, allowed_access: int) -> None:
    """landlock_add_rule(2), LANDLOCK_RULE_NET_PORT."""
    attr = _NetPortAttr(allowed_access, port)
    syscall(number("landlock_add_rule"), ruleset_fd, LANDLOCK_RULE_NET_PORT, ctypes.byref(attr), 0)


def restrict_self(ruleset_fd: int) -> None:
    """landlock_restrict_self(2): for this thread and all below it, for good; needs no_new_privs."""
    syscall(number("landlock_restrict_self"), ruleset_fd, 0)
