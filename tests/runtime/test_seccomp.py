"""Profiles: which rules hold (pure), and compiling with the machine's libseccomp."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rootless.errors import InvalidInput
from rootless.runtime import seccomp
from rootless.runtime.capabilities import DEFAULT_CAPABILITIES
from rootless.runtime.seccomp_compiler import select_rules

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
