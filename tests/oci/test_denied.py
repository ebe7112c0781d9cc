"""Filters that forbid what our own last steps would use: the container starts, and what fails is told."""

from __future__ import annotations

import pytest

from tests.oci.bundles import Runtime

DENIED = [("ioctl",), ("sendto", "sendmsg"), ("ioctl", "sendto", "sendmsg", "fcntl")]


def denying(runtime: Runtime, names: tuple[str, ...]) -> None:
    entry = {"names": list(names), "action": "SCMP_ACT_ERRNO"}
    runtime.spec["linux"]["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [entry]}


@pytest.mark.parametrize("names", DENIED, ids=[" ".join(names) for names in DENIED])
def test_it_starts_as_with_runc(oci: Runtime, runc: Runtime, names: tuple[str, ...]) -> None:
    for runtime in (runc, oci):
        denying(runtime, names)
        runtime.spec["hooks"] = {"startContainer": [{"path": "/bin/true", "args": ["true"]}]}
        assert runtime.run("echo", "ran") == "ran\n"
    oci.create("sleep", "60")
    oci("start", "c")
    assert oci("exec", "c", "echo", "ran").stdout == "ran\n"


@pytest.mark.parametrize("names", DENIED, ids=[" ".join(names) for names in DENIED])
def test_what_cannot_be_executed_is_told(oci: Runtime, names: tuple[str, ...]) -> None:
    """Where the filter forbids to answer us, the program's own stderr has the reason."""
    (oci.rootfs / "bin/broken").write_text("no program\n")
    (oci.rootfs / "bin/broken").chmod(0o755)
    denying(oci, names)
    assert "xec format error" in oci.run("broken", status=None)
    oci("delete", "-f", "c", status=None)
    oci.create("sleep", "60")
    oci("start", "c")
    assert "xec format error" in oci("exec", "c", "broken", status=None).stderr
