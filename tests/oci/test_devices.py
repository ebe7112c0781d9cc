"""linux.resources.devices: the program that is compiled says what the rules say, in the specification's words.

What the kernel makes of it is shown in tests/vm/test_oci.py, as root.
"""

from __future__ import annotations

import os
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rootless.errors import InvalidInput
from rootless.oci.cgroup import device_filter, manager
from rootless.oci.cgroup.device_filter import BLOCK, CHAR, MKNOD, READ, WRITE, DeviceRule, compile_rules

EVERYTHING = MKNOD | READ | WRITE
DENY_ALL = DeviceRule(False, -1, -1, -1, EVERYTHING)
NULL, URANDOM, FUSE, DISK = (CHAR, 1, 3), (CHAR, 1, 9), (CHAR, 10, 229), (BLOCK, 254, 0)

_numbers = st.sampled_from((-1, 0, 1, 3, 229))
RULES = st.lists(
    st.builds(
        DeviceRule, st.booleans(), st.sampled_from((-1, BLOCK, CHAR)), _numbers, _numbers, st.integers(1, EVERYTHING)
    ),
    max_size=8,
)
QUESTIONS = st.tuples(
    st.sampled_from((BLOCK, CHAR)), st.sampled_from((0, 1, 2, 3)), st.sampled_from((0, 1, 3, 229)), st.integers(1, EVERYTHING)
)


def answer(code: bytes, kind: int, major: int, minor: int, access: int) -> int:
    """What the program says: an interpreter of the seven instructions that it is made of."""
    if not code:
        return 1
    context = {0: access << 16 | kind, 4: major, 8: minor}
    registers: dict[int, int] = {}
    instructions = list(struct.iter_unpack("=BBhi", code))
    at = 0
    while True:
        opcode, pair, offset, value = instructions[at]
        target, source = pair & 15, pair >> 4
        at += 1
        match opcode:
            case 0x61:
                registers[target] = context[offset]
            case 0xB7:
                registers[target] = value
            case 0xBF:
                registers[target] = registers[source]
            case 0x57:
                registers[target] &= value
            case 0x77:
                registers[target] >>= value
            case 0x15:
                at += offset if registers[target] == value else 0
            case 0x55:
                at += offset if registers[target] != value else 0
            case 0x95:
                return registers[0]
            case _:
                raise AssertionError(f"unknown instruction {opcode:#x}")


def allowed(rules: list[DeviceRule], kind: int, major: int, minor: int, access: int) -> bool:
    """The specification's words: the last rule that matches decides, for each letter."""
    for letter in (MKNOD, READ, WRITE):
        if access & letter:
            verdict = False
            for rule in rules:
                numbers = zip(rule[1:4], (kind, major, minor), strict=True)
                if rule.access & letter and all(wanted in (-1, found) for wanted, found in numbers):
                    verdict = rule.allow
            if not verdict:
                return False
    return True


@settings(max_examples=500, deadline=None)
@given(RULES, QUESTIONS)
def test_the_program_is_the_rules(rules: list[DeviceRule], question: tuple[int, int, int, int]) -> None:
    assert answer(compile_rules(rules), *question) == allowed(device_filter.effective(rules), *question)


@settings(max_examples=200, deadline=None)
@given(RULES)
def test_every_instruction_is_reached_and_no_jump_leaves(rules: list[DeviceRule]) -> None:
    """What the verifier demands of any program."""
    instructions = list(struct.iter_unpack("=BBhi", compile_rules(rules)))
    seen: set[int] = set()
    todo = [0] if instructions else []
    while todo:
        at = todo.pop()
        assert at < len(instructions)
        if at not in seen:
            seen.add(at)
            opcode, _, offset, _ = instructions[at]
            todo += [] if opcode == 0x95 else [at + 1] + ([at + 1 + offset] if opcode in (0x15, 0x55) else [])
    assert seen == set(range(len(instructions)))


def test_what_every_container_has_stays_allowed() -> None:
    code = compile_rules([DENY_ALL])
    assert answer(code, *NULL, EVERYTHING)
    assert answer(code, CHAR, 136, 7, READ | WRITE), "a terminal"
    assert not answer(code, *FUSE, READ)
    assert not answer(code, *DISK, MKNOD)
    assert not answer(compile_rules([]), *DISK, READ), "no rules are no permission"


def test_a_rule_for_one_of_them_holds() -> None:
    code = compile_rules([DENY_ALL, DeviceRule(False, CHAR, 1, 9, WRITE)])
    assert answer(code, *URANDOM, READ)
    assert not answer(code, *URANDOM, WRITE)
    assert not answer(code, *URANDOM, READ | WRITE), "one of two is not both"


def test_permissions_of_several_rules_add_up() -> None:
    rules = [DENY_ALL, DeviceRule(True, CHAR, 10, 229, READ), DeviceRule(True, CHAR, 10, -1, WRITE)]
    code = compile_rules(rules)
    assert answer(code, *FUSE, READ | WRITE)
    assert not answer(code, *FUSE, MKNOD | READ)


def test_everything_needs_no_program() -> None:
    assert compile_rules([DENY_ALL, DeviceRule(True, -1, -1, -1, EVERYTHING)]) == b""
    assert answer(compile_rules([DeviceRule(True, -1, -1, -1, EVERYTHING), DeviceRule(False, BLOCK, -1, -1, WRITE)]), *DISK, READ)


@pytest.mark.parametrize(
    ("rule", "path"),
    [
        ({"allow": True, "type": "p"}, "devices[1].type"),
        ({"allow": True, "access": "rx"}, "devices[1].access"),
        ({"allow": True, "type": "c", "major": -2}, "devices[1].major"),
        ({"allow": True, "type": "c", "major": 1, "minor": 1 << 40}, "devices[1].minor"),
    ],
)
def test_nonsense(rule: dict[str, object], path: str) -> None:
    with pytest.raises(InvalidInput, match=r"linux\.resources\." + path.replace("[", r"\[").replace("]", r"\]")):
        device_filter.read_rules([{"allow": False}, rule])


def test_only_real_root_has_a_program() -> None:
    with open("/proc/self/uid_map") as file:
        real = os.geteuid() == 0 and file.read().split() == ["0", "0", "4294967295"]
    assert (manager.devices_of({}, {"devices": [{"allow": False}]}) is not None) == real
