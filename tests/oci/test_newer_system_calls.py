"""A profile cannot name what came after it: such system calls answer ENOSYS, beside runc."""

from __future__ import annotations

import ctypes
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from rootless.runtime.seccomp import profile as seccomp
from tests.need import need
from tests.oci.bundles import SAFE, Runtime

FCHMODAT2, MADE_UP, MOUNT = 452, 1000, {"x86_64": 165, "aarch64": 40}.get(os.uname().machine, 0)
ASK = """
import ctypes, sys
libc = ctypes.CDLL(None, use_errno=True)
for number in sys.argv[1:]:
    print(number, libc.syscall(int(number), -1, 0, 0, 0, 0, 0), ctypes.get_errno())
"""


def names_before(number: int) -> list[str]:
    """All that Docker's profile names, less what is newer than that."""
    library = ctypes.CDLL("libseccomp.so.2")
    profile = json.loads(Path(seccomp.PROFILE_PATH).read_text())
    names = {name for entry in profile["syscalls"] for name in entry["names"]} - {"mount"}
    return sorted(name for name in names if 0 <= library.seccomp_syscall_resolve_name(name.encode()) < number)


def with_python(runtime: Runtime) -> None:
    """The host's Python inside, to call what no library knows."""
    need(Path("/usr/bin/python3").exists(), "no /usr/bin/python3")
    for name in ("lib", "lib64"):
        if os.path.islink(f"/{name}") and not (runtime.rootfs / name).is_symlink():
            (runtime.rootfs / name).symlink_to(os.readlink(f"/{name}"))
    bind = {
        "destination": "/usr",
        "type": "bind",
        "source": "/usr",
        "options": ["rbind", "ro", *SAFE[:1], "nodev"],
    }
    runtime.spec["mounts"].append(bind)


PROFILES: list[tuple[str, dict[str, Any]]] = [
    ("errno", {"defaultAction": "SCMP_ACT_ERRNO"}),
    ("another errno", {"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 13}),
    ("log", {"defaultAction": "SCMP_ACT_LOG"}),
]


@pytest.mark.parametrize("profile", [given for _, given in PROFILES], ids=[name for name, _ in PROFILES])
def test_as_runc(oci: Runtime, runc: Runtime, profile: dict[str, Any]) -> None:
    need(MOUNT > 0, "the numbers are those of x86_64 and aarch64")
    seen = []
    for runtime in (runc, oci):
        with_python(runtime)
        runtime.spec["linux"]["seccomp"] = {
            **profile,
            "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32", "SCMP_ARCH_AARCH64"],
            "syscalls": [{"names": names_before(FCHMODAT2), "action": "SCMP_ACT_ALLOW"}],
        }
        asked = [str(number) for number in (MOUNT, FCHMODAT2, MADE_UP, -1)]
        seen.append(runtime.run("/usr/bin/python3", "-c", ASK, *asked))
    assert seen[1] == seen[0]
    if profile["defaultAction"] == "SCMP_ACT_ERRNO":
        refused = profile.get("defaultErrnoRet", 1)
        assert seen[1].splitlines()[:3] == [f"{MOUNT} -1 {refused}", f"{FCHMODAT2} -1 38", f"{MADE_UP} -1 38"]


def test_without_architectures_it_is_the_machines_own(oci: Runtime) -> None:
    need(MOUNT > 0, "the numbers are those of x86_64 and aarch64")
    with_python(oci)
    allowed = {"names": names_before(FCHMODAT2), "action": "SCMP_ACT_ALLOW"}
    # One that is named is known, though it is refused as the default has it.
    known = {"names": ["mount"], "action": "SCMP_ACT_ERRNO"}
    oci.spec["linux"]["seccomp"] = {"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [allowed, known]}
    shown = oci.run("/usr/bin/python3", "-c", ASK, str(MOUNT), str(FCHMODAT2))
    assert shown == f"{MOUNT} -1 1\n{FCHMODAT2} -1 38\n", sys.version
