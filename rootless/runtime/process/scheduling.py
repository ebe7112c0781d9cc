"""OOM score, time namespace, personality, scheduler, I/O and memory policy of the container's process.

Applied while /proc is still the host's and no user has been left behind; all of them survive
exec. Nothing asked for costs nothing. Hot path.
"""

from __future__ import annotations

import os

from rootless.errors import InvalidInput, NotSupported
from rootless.linux import ctypes
from rootless.linux import namespace as n
from rootless.linux.libc import syscall
from rootless.linux.process import ADDR_NO_RANDOMIZE, PER_LINUX, PER_LINUX32, personality
from rootless.record import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

_NUMBERS = {
    "x86_64": {"ioprio_set": 251, "sched_setattr": 314, "set_mempolicy": 238},
    "aarch64": {"ioprio_set": 30, "sched_setattr": 274, "set_mempolicy": 237},
}
_IO_CLASSES = {"IOPRIO_CLASS_RT": 1, "IOPRIO_CLASS_BE": 2, "IOPRIO_CLASS_IDLE": 3}
_POLICIES = {
    "SCHED_OTHER": 0,
    "SCHED_FIFO": 1,
    "SCHED_RR": 2,
    "SCHED_BATCH": 3,
    "SCHED_ISO": 4,
    "SCHED_IDLE": 5,
    "SCHED_DEADLINE": 6,
}
_SCHEDULER_FLAGS = {
    "SCHED_FLAG_RESET_ON_FORK": 0x01,
    "SCHED_FLAG_RECLAIM": 0x02,
    "SCHED_FLAG_DL_OVERRUN": 0x04,
    "SCHED_FLAG_KEEP_POLICY": 0x08,
    "SCHED_FLAG_KEEP_PARAMS": 0x10,
    "SCHED_FLAG_UTIL_CLAMP_MIN": 0x20,
    "SCHED_FLAG_UTIL_CLAMP_MAX": 0x40,
}
_MEMORY_MODES = {
    "MPOL_DEFAULT": 0,
    "MPOL_PREFERRED": 1,
    "MPOL_BIND": 2,
    "MPOL_INTERLEAVE": 3,
    "MPOL_LOCAL": 4,
    "MPOL_PREFERRED_MANY": 5,
    "MPOL_WEIGHTED_INTERLEAVE": 6,
}
_MEMORY_FLAGS = {
    "MPOL_F_NUMA_BALANCING": 1 << 13,
    "MPOL_F_RELATIVE_NODES": 1 << 14,
    "MPOL_F_STATIC_NODES": 1 << 15,
}


def set_oom_score(process: dict[str, Any]) -> None:
    """Write process.oomScoreAdj, while we are dumpable: /proc/self is root's afterwards."""
    score = process.get("oomScoreAdj")
    if score is None:
        return
    try:
        with open("/proc/self/oom_score_adj", "w") as file:
            file.write(str(score))
    except PermissionError:
        raise NotSupported(
            f"cannot lower the OOM score to {score}",
            hint="only a value above the present one (/proc/self/oom_score_adj) can be set without root",
        ) from None


def apply(spec: dict[str, Any], *, time: bool = True) -> None:
    """What spec.linux and spec.process ask of this process; InvalidInput, or NotSupported where
    the kernel or this account cannot give it. `time`: a time namespace too."""
    linux, process = spec.get("linux") or {}, spec.get("process") or {}
    if time and wants_time(linux):
        apply_time(linux)
    apply_to_process(process, linux)


def wants_time(linux: dict[str, Any]) -> bool:
    """Whether spec.linux asks for a new time namespace."""
    return any(
        entry.get("type") == "time" and not entry.get("path") for entry in linux.get("namespaces") or []
    )


def apply_time(linux: dict[str, Any]) -> None:
    """Make the time namespace that spec.linux asks for, while we are dumpable: its offsets are written in /proc/self."""
    new_time_namespace(linux.get("timeOffsets") or {})


def apply_to_process(process: dict[str, Any], linux: dict[str, Any]) -> None:
    """Memory policy and personality of the container's spec.linux, process.scheduler and process.ioPriority:
    what every process of it has, those of `exec` too."""
    if linux.get("memoryPolicy"):
        _set_memory_policy(linux["memoryPolicy"])
    if linux.get("personality"):
        _set_personality(linux["personality"])
    if process.get("scheduler"):
        _set_scheduler(process["scheduler"])
    if process.get("ioPriority"):
        _set_io_priority(process["ioPriority"])


def new_time_namespace(offsets: dict[str, Any]) -> None:
    """Make a time namespace with these offsets (time_namespaces(7)) and enter it ourselves.

    clone(2) has no room for its flag and unshare(2) moves only children; but a process of one
    thread may then join the namespace made for its children.
    """
    try:
        n.unshare(n.CLONE_NEWTIME)
    except OSError as error:
        raise NotSupported(f"this kernel makes no time namespaces: {error.strerror}") from None
    lines = [
        f"{clock} {int(offset.get('secs') or 0)} {int(offset.get('nanosecs') or 0)}\n"
        for clock, offset in offsets.items()
        if clock in ("monotonic", "boottime")
    ]
    if lines:
        try:
            with open("/proc/self/timens_offsets", "w") as file:
                file.write("".join(lines))
        except OSError as error:
            raise InvalidInput(f"linux.timeOffsets: {error.strerror}") from None
    fd = os.open("/proc/self/ns/time_for_children", os.O_RDONLY | os.O_CLOEXEC)
    try:
        n.setns(fd, n.CLONE_NEWTIME)
    finally:
        os.close(fd)


def _number(name: str) -> int:
    return _NUMBERS.get(os.uname().machine, {}).get(name, -1)


def _set_personality(wanted: dict[str, Any]) -> None:
    persona = PER_LINUX32 if wanted.get("domain") == "LINUX32" else PER_LINUX
    for flag in wanted.get("flags") or []:
        if flag != "ADDR_NO_RANDOMIZE":
            raise InvalidInput(f"linux.personality.flags: {flag!r} is not supported")
        persona |= ADDR_NO_RANDOMIZE
    personality(persona)


def _set_io_priority(wanted: dict[str, Any]) -> None:
    # Linux UAPI linux/ioprio.h: class << 13 | level; 1: a process; 0: ourselves.
    value = _IO_CLASSES[wanted["class"]] << 13 | int(wanted.get("priority") or 0)
    try:
        syscall(_number("ioprio_set"), 1, 0, value)
    except PermissionError:
        raise NotSupported(f"I/O priority {wanted['class']} needs real root (CAP_SYS_ADMIN)") from None
    except OSError as error:
        raise InvalidInput(f"process.ioPriority: {error.strerror}") from None


class _SchedAttr(ctypes.Structure):
    _fields_ = [
        ("size", ctypes.c_uint32),
        ("policy", ctypes.c_uint32),
        ("flags", ctypes.c_uint64),
        ("nice", ctypes.c_int32),
        ("priority", ctypes.c_uint32),
        ("runtime", ctypes.c_uint64),
        ("deadline", ctypes.c_uint64),
        ("period", ctypes.c_uint64),
    ]


def _set_scheduler(wanted: dict[str, Any]) -> None:
    flags = 0
    for flag in wanted.get("flags") or []:
        flags |= _SCHEDULER_FLAGS[flag]
    attr = _SchedAttr(
        ctypes.sizeof(_SchedAttr),
        _POLICIES[wanted["policy"]],
        flags,
        int(wanted.get("nice") or 0),
        int(wanted.get("priority") or 0),
        int(wanted.get("runtime") or 0),
        int(wanted.get("deadline") or 0),
        int(wanted.get("period") or 0),
    )
    try:
        syscall(_number("sched_setattr"), 0, ctypes.byref(attr), 0)
    except PermissionError:
        raise NotSupported(
            f"this account may not set {wanted['policy']} with nice {attr.nice}, priority {attr.priority}",
            hint="the administrator allows it with `nice` and `rtprio` in /etc/security/limits.conf",
        ) from None
    except OSError as error:
        raise InvalidInput(f"process.scheduler: {error.strerror}") from None


def _set_memory_policy(wanted: dict[str, Any]) -> None:
    mode = _MEMORY_MODES[wanted.get("mode") or "MPOL_DEFAULT"]
    for flag in wanted.get("flags") or []:
        mode |= _MEMORY_FLAGS[flag]
    nodes = cpu_list(wanted.get("nodes") or "", name="linux.memoryPolicy.nodes")
    mask = (ctypes.c_ulong * 16)()
    bits = 8 * ctypes.sizeof(mask)
    for node in nodes:
        if node >= bits:
            raise InvalidInput(f"linux.memoryPolicy.nodes: there is no node {node}")
        mask[node // 64] |= 1 << node % 64
    try:
        syscall(
            _number("set_mempolicy"), mode, ctypes.byref(mask) if nodes else None, bits + 1 if nodes else 0
        )
    except PermissionError:
        raise NotSupported("linux.memoryPolicy: refused here (a sandbox's filter)") from None
    except OSError as error:
        raise InvalidInput(f"linux.memoryPolicy: {error.strerror}") from None


def cpu_list(text: str, *, name: str) -> set[int]:
    """The numbers of a list such as "0-3,7" (cpuset(7), Formats); InvalidInput names `name`."""
    found: set[int] = set()
    for part in text.replace(" ", "").split(","):
        if not part:
            continue
        first, dash, last = part.partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()) or int(last or 0) > 1 << 20:
            raise InvalidInput(f"{name}: {text!r} is not a list of numbers")
        found.update(range(int(first), int(last or first) + 1))
    return found
