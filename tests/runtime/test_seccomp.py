"""Profiles: which rules hold (pure), and compiling with the machine's libseccomp."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import pytest

from rootless.errors import InvalidInput
from rootless.runtime.process.capabilities import DEFAULT_CAPABILITIES
from rootless.runtime.seccomp import newer_calls
from rootless.runtime.seccomp import profile as seccomp
from rootless.runtime.seccomp.compiler import compile_profile, select_rules

ALLOW, ERRNO = 0x7FFF0000, 0x00050000


def default_profile() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Path(seccomp.PROFILE_PATH).read_text())
    return found


def names(
    capabilities: frozenset[str], machine: str = "x86_64", release: str = "6.1.0"
) -> dict[str, set[int]]:
    selected = select_rules(default_profile(), capabilities, machine=machine, release=release)
    found: dict[str, set[int]] = {}
    for rule in selected.rules:
        for name in rule.names:
            found.setdefault(name, set()).add(rule.action)
    return found


def test_capabilities_open_what_belongs_to_them() -> None:
    plain, admin = names(frozenset(DEFAULT_CAPABILITIES)), names(frozenset(("CAP_SYS_ADMIN",)))
    assert plain["mount"] == {ERRNO | 1}
    assert "clone3" not in plain  # what is not listed answers ENOSYS
    assert admin["mount"] == admin["clone3"] == {ALLOW}
    assert "chroot" in plain
    assert admin["chroot"] == {ERRNO | 1}


def test_architecture_and_kernel_decide() -> None:
    none: frozenset[str] = frozenset()
    assert "arch_prctl" in names(none)
    assert "arch_prctl" not in names(none, "aarch64")
    assert "ptrace" in names(none, release="4.8.0-rc1")
    assert "ptrace" not in names(none, release="4.4.0-210-generic")
    selected = select_rules(default_profile(), none, machine="x86_64", release="6.1")
    assert selected.architectures == ("SCMP_ARCH_X86_64", "SCMP_ARCH_X86")
    assert selected.default_action == ERRNO | 38


def test_several_conditions_on_one_argument_mean_any() -> None:
    args = [{"index": 0, "value": value, "op": "SCMP_CMP_EQ"} for value in (1, 2)]
    profile = {
        "defaultAction": "SCMP_ACT_ERRNO",
        "syscalls": [{"names": ["personality"], "action": "SCMP_ACT_ALLOW", "args": args}],
    }
    rules = select_rules(profile, frozenset(), machine="x86_64", release="6.1").rules
    assert [len(rule.comparisons) for rule in rules] == [1, 1]


@pytest.mark.parametrize(
    "profile",
    [
        {"defaultAction": "SCMP_ACT_WHATEVER"},
        {"defaultAction": "SCMP_ACT_ALLOW", "flags": ["SECCOMP_FILTER_FLAG_MOON"]},
        {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["read"], "action": "SCMP_ACT_NOTIFY"}]},
    ],
)
def test_bad_profiles(profile: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(InvalidInput):
        seccomp.compiled(profile, [], cache_dir=str(tmp_path))


def test_compiled_once_and_kept_by_content(tmp_path: Path) -> None:
    first = seccomp.compiled(seccomp.DEFAULT, list(DEFAULT_CAPABILITIES), cache_dir=str(tmp_path / "s"))
    assert len(first.bpf) > 1000
    (kept,) = (tmp_path / "s").iterdir()
    kept.write_bytes(b"12345678")
    assert (
        seccomp.compiled(seccomp.DEFAULT, list(DEFAULT_CAPABILITIES), cache_dir=str(tmp_path / "s")).bpf
        == b"12345678"
    )
    other = seccomp.compiled(seccomp.DEFAULT, [], cache_dir=str(tmp_path / "s"))
    assert other.bpf != first.bpf
    assert len(list((tmp_path / "s").iterdir())) == 2


def test_an_oci_filter(tmp_path: Path) -> None:
    profile = {
        "defaultAction": "SCMP_ACT_ALLOW",
        "architectures": ["SCMP_ARCH_X86_64"],
        "syscalls": [{"names": ["chmod", "no_such_call"], "action": "SCMP_ACT_ERRNO", "errnoRet": 95}],
    }
    assert seccomp.compiled(profile, [], cache_dir=str(tmp_path)).bpf


def test_a_cache_that_cannot_be_written_is_done_without() -> None:
    assert seccomp.compiled(seccomp.DEFAULT, [], cache_dir="/proc/no/such").bpf


def test_only_a_default_that_refuses_is_changed() -> None:
    """The program of a profile whose default answers ENOSYS, or lets pass, is libseccomp's alone."""
    entry = {"names": ["mkdir"], "action": "SCMP_ACT_ERRNO", "errnoRet": 5}
    first_jump = {}
    for name, action in (
        ("refuses", {"defaultAction": "SCMP_ACT_ERRNO"}),
        ("kills", {"defaultAction": "SCMP_ACT_KILL_PROCESS"}),
        ("enosys", {"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 38}),
        ("allows", {"defaultAction": "SCMP_ACT_ALLOW"}),
        ("traces", {"defaultAction": "SCMP_ACT_TRACE"}),
    ):
        bpf = compile_profile({**action, "syscalls": [entry]}, frozenset())
        first_jump[name] = struct.pack("=HBBI", 0x06, 0, 0, ERRNO | 38) in bpf[:48]
    assert first_jump == {"refuses": True, "kills": True, "enosys": False, "allows": False, "traces": False}


def test_newer_than_each_architecture() -> None:
    """Interpreted here, as the kernel does it: what falls off the end goes on to the filter."""
    bpf = newer_calls.instructions({0xC000003E: 300, 0x40000003: 400}, 0x40000000 + 310)
    for architecture, number, answer in (
        (0xC000003E, 300, None), (0xC000003E, 301, 38), (0xC000003E, 0x3FFFFFFF, 38),
        (0xC000003E, 0x40000000 + 310, None), (0xC000003E, 0x40000000 + 311, 38),
        (0x40000003, 400, None), (0x40000003, 401, 38), (0xC00000B7, 999, None),
    ):  # fmt: skip
        assert interpret(bpf, architecture, number) == answer, (hex(architecture), number)
    bare = newer_calls.instructions({0xC000003E: 300})
    assert interpret(bare, 0xC000003E, 301) == 38
    assert interpret(bare, 0xC000003E, 0x40000000 + 999) is None  # x32 is not the profile's: the filter's to judge


def interpret(bpf: bytes, architecture: int, number: int) -> int | None:
    """The errno that the program answers with; None where it goes on."""
    program = list(struct.iter_unpack("=HBBI", bpf))
    place, loaded = 0, 0
    while place < len(program):
        code, yes, no, operand = program[place]
        place += 1
        if code == 0x20:
            loaded = {0: number, 4: architecture}[operand]
        elif code == 0x06:
            return int(operand & 0xFFFF)
        else:
            held = {0x15: loaded == operand, 0x25: loaded > operand, 0x35: loaded >= operand}[code]
            place += yes if held else no
    return None
