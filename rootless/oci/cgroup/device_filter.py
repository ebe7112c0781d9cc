"""linux.resources.devices as a program of the kernel, for real root: elsewhere nobody can make a node.

The rules become one eBPF program on the container's cgroup (BPF_PROG_TYPE_CGROUP_DEVICE), which is asked
at every open and mknod of a device. As the specification has it the last rule that matches decides, here
for each of r, w and m by itself: who opens for reading and writing needs both. What no rule matches is
denied. The devices that every container has stay allowed unless a rule denies them by their numbers: a rule for
all devices, which every caller begins with, does not mean them.

Other than with runc, mknod of any other device is denied where the rules deny it.
"""

from __future__ import annotations

import errno
import os

from rootless.errors import InvalidInput, NotSupported
from rootless.linux import struct
from rootless.record import TYPE_CHECKING, Record

if TYPE_CHECKING:
    from typing import Any

_PATH = "linux.resources.devices"
BLOCK, CHAR = 1, 2  # BPF_DEVCG_DEV_*
MKNOD, READ, WRITE = 1, 2, 4  # BPF_DEVCG_ACC_*
_ALL = MKNOD | READ | WRITE
_ANY = -1
_LETTERS = {"m": MKNOD, "r": READ, "w": WRITE}
_TYPES = {"a": _ANY, "": _ANY, "b": BLOCK, "c": CHAR}
_LARGEST = (1 << 31) - 1  # a jump compares with a signed number; the kernel's own are smaller


class DeviceRule(Record):
    """One rule; -1 is any. `access`: bits of MKNOD, READ, WRITE."""

    allow: bool
    type: int
    major: int
    minor: int
    access: int


# config-linux.md, "Default Devices", and the terminals behind /dev/pts.
_DEFAULTS = tuple(
    DeviceRule(True, CHAR, major, minor, _ALL)
    for major, minor in ((1, 3), (1, 5), (1, 7), (1, 8), (1, 9), (5, 0), (5, 2), (136, _ANY))
)


class Program(Record):
    """A compiled list of rules. `needed`: without it the container could have more than was asked."""

    code: bytes
    needed: bool

    def attach(self, cgroup: str) -> None:
        """Put it on the cgroup, in place of one that is there. NotSupported where the kernel cannot."""
        try:
            _attach(cgroup, self.code)
        except OSError as error:
            if error.errno == errno.E2BIG:
                raise NotSupported(f"{_PATH}: has more rules than the kernel's verifier follows") from None
            raise NotSupported(
                f"{_PATH} cannot be enforced: the kernel refuses the program: {error.strerror}"
                + (f" ({error.filename})" if error.filename else ""),
                hint="it needs cgroup v2, CONFIG_CGROUP_BPF and all of root's capabilities on the host",
            ) from None


def program(rules: list[dict[str, Any]], spec: dict[str, Any]) -> Program | None:
    """The program that holds the container of `spec` to `rules`; None where there is nothing to hold:
    everything is allowed, or we are not real root."""
    if not _is_real_root():
        return None
    found = read_rules(rules)
    code = compile_rules(found)
    if not code:
        return None
    linux = spec.get("linux") or {}
    own = any(entry["type"] == "user" for entry in linux.get("namespaces") or [])
    bounding = ((spec.get("process") or {}).get("capabilities") or {}).get("bounding") or []
    makes_nodes = not own and "CAP_MKNOD" in bounding
    return Program(code, makes_nodes and any(not rule.allow for rule in found))


def read_rules(rules: list[dict[str, Any]]) -> list[DeviceRule]:
    """The rules as numbers; InvalidInput with the JSON path of one that is none. Pure."""
    return [_read(rule, index) for index, rule in enumerate(rules)]


def _is_real_root() -> bool:
    with open("/proc/self/uid_map") as file:
        return file.read().split() == ["0", "0", "4294967295"]


def _read(rule: dict[str, Any], index: int) -> DeviceRule:
    name = f"{_PATH}[{index}]"
    kind, access = rule.get("type") or "", rule.get("access") or "rwm"
    if kind not in _TYPES:
        raise InvalidInput(f"config.json: {name}.type: must be a, b or c, not {kind!r}")
    if not set(access) <= set(_LETTERS):
        raise InvalidInput(f"config.json: {name}.access: must be made of r, w and m, not {access!r}")
    numbers = []
    for key in ("major", "minor"):
        number = _ANY if rule.get(key) is None else rule[key]
        if not _ANY <= number <= _LARGEST:
            raise InvalidInput(f"config.json: {name}.{key}: must be between 0 and {_LARGEST}, not {number}")
        numbers.append(number)
    bits = sum(_LETTERS[letter] for letter in set(access))
    return DeviceRule(rule["allow"], _TYPES[kind], numbers[0], numbers[1], bits)


def effective(rules: list[DeviceRule]) -> list[DeviceRule]:
    """The rules with those of the default devices after the last one for all devices. Pure."""
    last = max((i for i, rule in enumerate(rules) if rule[1:4] == (_ANY, _ANY, _ANY)), default=-1)
    return [*rules[: last + 1], *_DEFAULTS, *rules[last + 1 :]]


# struct bpf_insn: opcode, registers (source in the upper half), offset, immediate value. R0 is the answer,
# R1 the question: struct bpf_cgroup_dev_ctx of three words: access in the upper half of the type, major, minor.
_LOAD_WORD = 0x61
_MOVE, _MOVE_REGISTER = 0xB7, 0xBF
_AND, _SHIFT_RIGHT = 0x57, 0x77
_JUMP_IF_EQUAL, _JUMP_UNLESS_EQUAL = 0x15, 0x55
_EXIT = 0x95
_R0, _R1, _TYPE, _ACCESS, _MAJOR, _MINOR = 0, 1, 2, 3, 4, 5


def _instruction(opcode: int, target: int = 0, source: int = 0, *, offset: int = 0, value: int = 0) -> bytes:
    return struct.pack("=BBhi", opcode, source << 4 | target, offset, value)


_ALLOW, _DENY = (_instruction(_MOVE, _R0, value=answer) + _instruction(_EXIT) for answer in (1, 0))


_PROLOGUE = b"".join(
    (
        _instruction(_LOAD_WORD, _TYPE, _R1, offset=0),
        _instruction(_MOVE_REGISTER, _ACCESS, _TYPE),
        _instruction(_AND, _TYPE, value=0xFFFF),
        _instruction(_SHIFT_RIGHT, _ACCESS, value=16),
        _instruction(_LOAD_WORD, _MAJOR, _R1, offset=4),
        _instruction(_LOAD_WORD, _MINOR, _R1, offset=8),
    )
)


def compile_rules(rules: list[DeviceRule]) -> bytes:
    """The program that answers 1 (allowed) or 0; empty where it would allow everything. Pure.

    From the last rule to the first, _ACCESS holds what is still to be decided: a denied bit of it ends
    the matter, and so does the last allowed one.
    """
    code = []
    denies = False
    for rule in reversed(effective(rules)):
        everything = rule[1:] == (_ANY, _ANY, _ANY, _ALL)
        if everything and rule.allow and not denies:
            return b""
        denies = denies or not rule.allow
        code.append(_of_rule(rule))
        if everything:
            break  # the verifier wants no instruction that is never reached
    else:
        code.append(_DENY)
    return _PROLOGUE + b"".join(code)


def _of_rule(rule: DeviceRule) -> bytes:
    """What goes on behind its own last instruction where the rule does not match or does not decide."""
    if rule.access == _ALL:
        then = _ALLOW if rule.allow else _DENY
    elif rule.allow:
        # These are decided; is anything left?
        left = _instruction(_AND, _ACCESS, value=~rule.access)
        then = left + _skip(_JUMP_UNLESS_EQUAL, _ACCESS, 0, _ALLOW)
    else:
        asked = _instruction(_MOVE_REGISTER, _R1, _ACCESS) + _instruction(_AND, _R1, value=rule.access)
        then = asked + _skip(_JUMP_IF_EQUAL, _R1, 0, _DENY)
    for register, wanted in ((_MINOR, rule.minor), (_MAJOR, rule.major), (_TYPE, rule.type)):
        if wanted != _ANY:
            then = _skip(_JUMP_UNLESS_EQUAL, register, wanted, then)
    return then


def _skip(jump: int, register: int, value: int, code: bytes) -> bytes:
    return _instruction(jump, register, offset=len(code) // 8, value=value) + code


def _attach(cgroup: str, code: bytes) -> None:
    from rootless.linux import bpf

    directory = os.open(cgroup, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    new = -1
    old: list[int] = []
    try:
        new = bpf.load(code, bpf.BPF_PROG_TYPE_CGROUP_DEVICE)
        old = bpf.attached(directory, bpf.BPF_CGROUP_DEVICE)
        # At once where that is one for one; otherwise both hold for a moment, which allows less.
        bpf.attach(directory, new, bpf.BPF_CGROUP_DEVICE, replaces=old[0] if len(old) == 1 else -1)
        for fd in old if len(old) > 1 else ():
            bpf.detach(directory, fd, bpf.BPF_CGROUP_DEVICE)
    finally:
        for fd in (directory, new, *old):
            if fd >= 0:
                os.close(fd)
