"""Our own allow list, held to what Docker's and Podman's defaults refuse."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rootless.runtime.process.capabilities import DEFAULT_CAPABILITIES
from rootless.runtime.seccomp import profile
from rootless.runtime.seccomp.compiler import select_rules

ALLOW = 0x7FFF0000
PROFILE: dict[str, Any] = json.loads(Path(profile.PROFILE_PATH).read_text())

# What Docker's profile (2025) refuses a container with default capabilities: all of it, here too.
REFUSED = """
    acct add_key afs_syscall bpf clock_settime clock_settime64 clone3 create_module delete_module fanotify_init finit_module
    fsconfig fsmount fsopen fspick get_kernel_syms get_mempolicy init_module io_uring_enter io_uring_register
    io_uring_setup ioperm iopl kcmp kexec_file_load kexec_load keyctl lookup_dcookie lsm_get_self_attr
    lsm_list_modules lsm_set_self_attr mbind migrate_pages mount mount_setattr move_mount move_pages nfsservctl
    open_by_handle_at open_tree open_tree_attr perf_event_open pidfd_getfd pivot_root process_madvise putpmsg
    query_module quotactl quotactl_fd reboot request_key security set_mempolicy set_mempolicy_home_node setdomainname
    sethostname setns settimeofday stime swapoff swapon syscall sysfs syslog tuxcall umount umount2 unshare uselib
    userfaultfd ustat vhangup vm86 vm86old vserver _sysctl
""".split()
# Ours alone: 32-bit multiplexer, watches of whole file systems, memory that cannot be moved.
REFUSED_BY_US = ["socketcall", "fanotify_mark", "memfd_secret", "modify_ldt", "sgetmask"]
# What each capability opens, and nothing else does.
OPENED = {
    "CAP_SYS_ADMIN": {"mount", "unshare", "setns", "clone3", "bpf", "fsopen", "sethostname", "quotactl"},
    "CAP_DAC_READ_SEARCH": {"open_by_handle_at"},
    "CAP_SYS_PTRACE": {"kcmp", "pidfd_getfd", "process_madvise"},
    "CAP_SYS_TIME": {"clock_settime", "settimeofday"},
    "CAP_SYS_NICE": {"mbind", "set_mempolicy"},
    "CAP_SYS_MODULE": {"init_module"},
    "CAP_BPF": {"bpf"},
    "CAP_PERFMON": {"perf_event_open"},
    "CAP_SYSLOG": {"syslog"},
    "CAP_SYS_BOOT": {"reboot"},
}


def allowed(*capabilities: str, machine: str = "x86_64") -> dict[str, int]:
    """Allowed names, and how many argument comparisons stand before the first of each (-1: any)."""
    found: dict[str, int] = {}
    for rule in select_rules(PROFILE, frozenset(capabilities), machine=machine, release="6.12").rules:
        if rule.action == ALLOW:
            for name in rule.names:
                found[name] = len(rule.comparisons)
    return found


@pytest.mark.parametrize("name", [*REFUSED, *REFUSED_BY_US])
def test_refused_by_default(name: str) -> None:
    assert name not in allowed(*DEFAULT_CAPABILITIES)


@pytest.mark.parametrize("capability", OPENED)
def test_capabilities_open_what_they_are_for(capability: str) -> None:
    opened = set(allowed(*DEFAULT_CAPABILITIES, capability)) - set(allowed(*DEFAULT_CAPABILITIES))
    assert opened >= OPENED[capability]
    assert opened <= set(REFUSED) | set(REFUSED_BY_US)


@pytest.mark.parametrize("machine", ["x86_64", "aarch64", "riscv64", "ppc64le", "s390x"])
def test_what_programs_need_is_there_on_every_architecture(machine: str) -> None:
    names = allowed(*DEFAULT_CAPABILITIES, machine=machine)
    for name in (
        "execve",
        "openat",
        "mmap",
        "futex",
        "clone",
        "socket",
        "epoll_pwait",
        "getrandom",
        "statx",
        "rseq",
    ):
        assert name in names
    # Only by their arguments.
    assert names["clone"] == names["socket"] == names["personality"] == 1


def test_unknown_is_absent_and_forbidden_is_forbidden() -> None:
    """ENOSYS makes programs fall back, EPERM tells of a wall; x32 is an architecture of its own and not ours."""
    assert PROFILE["defaultErrnoRet"] == 38
    assert "SCMP_ARCH_X32" not in json.dumps(PROFILE)


def test_no_capability_opens_other_ways_out_of_the_machine() -> None:
    rules = select_rules(
        PROFILE, frozenset(("CAP_NET_ADMIN", "CAP_NET_RAW")), machine="x86_64", release="6.12"
    ).rules
    values = {(c.operator, c.value) for rule in rules for c in rule.comparisons if "socket" in rule.names}
    assert values == {(2, 38), (4, 39), (6, 40)}  # all but AF_ALG and AF_VSOCK
