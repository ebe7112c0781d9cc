"""System calls, capabilities, keys and files of /proc: what a container may ask of the kernel."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.harness.command import Rootless
from tests.harness.processes import wait_until
from tests.harness.terminal import Terminal
from tests.hostile.conftest import Attack
from tests.need import need, without_range
from tests.oci.bundles import Runtime, installed, make_rootfs

# x86_64 and aarch64 numbers of what must be refused, with harmless arguments.
FORBIDDEN = {
    "add_key": (248, 217), "keyctl": (250, 219), "request_key": (249, 218),
    "bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425), "kexec_load": (246, 104), "init_module": (175, 105),
    "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41), "fsopen": (430, 430), "open_tree": (428, 428),
    "move_mount": (429, 429), "setns": (308, 268), "unshare": (272, 97), "swapon": (167, 224), "reboot": (169, 142),
    "open_by_handle_at": (304, 265), "acct": (163, 89), "quotactl": (179, 60), "settimeofday": (164, 170),
    "syslog": (103, 116), "sethostname": (170, 161), "fanotify_init": (300, 262), "kcmp": (312, 272),
    "pidfd_getfd": (438, 438), "mbind": (237, 235), "memfd_secret": (447, 447), "lookup_dcookie": (212, 18),
    "clone3": (435, 435),
}  # fmt: skip
REFUSED = {"EPERM", "ENOSYS"}


@pytest.mark.parametrize("name", FORBIDDEN)
def test_system_call_is_refused(attack: Attack, name: str) -> None:
    number = FORBIDDEN[name][os.uname().machine == "aarch64"]
    assert set(attack("call", str(number), "0", "0", "0", "0", "0")) <= REFUSED


@pytest.mark.parametrize(
    "flag", [0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000, 0x7E020000]
)
def test_cve_2022_0185_no_namespaces_by_clone(attack: Attack, flag: int) -> None:
    """A new user namespace gives the rights over file systems and netfilter that most kernel flaws want."""
    number = {"x86_64": 56}.get(os.uname().machine, 220)
    assert attack("call", str(number), hex(flag | 17), "0", "0", "0", "0") == ["EPERM"]


@pytest.mark.parametrize("family", [38, 40, 17, 31, 29, 21, 4, 44, 1 << 32 | 38])
def test_socket_families(attack: Attack, family: int) -> None:
    """AF_ALG, AF_VSOCK (out of the container), raw packets, and modules nobody misses: bluetooth, CAN, RDS, IPX."""
    number = {"x86_64": 41}.get(os.uname().machine, 198)
    assert set(attack("call", str(number), str(family), "2", "0")) <= REFUSED


@pytest.mark.parametrize("options", [(), ("--cap-add", "NET_ADMIN")])
@pytest.mark.parametrize("family", [38, 40])
def test_socket_families_by_the_multiplexer(attack: Attack, payload: Path, family: int, options: tuple[str, ...]) -> None:
    """The 32-bit socketcall, which a 64-bit program reaches by int 0x80: its arguments are out of a filter's sight."""
    need(os.uname().machine == "x86_64", "there is no int 0x80 here")
    free = subprocess.run([payload, "socketcall", "1", "1", "1"], capture_output=True, text=True, check=False)
    need(free.stdout.startswith("OK"), "this kernel has no 32-bit calls")
    for call in ("1", "8"):
        assert attack("socketcall", call, str(family), "1", options=("--network", "none", *options)) == ["ENOSYS"]
        assert attack("socketcall", call, "1", "1", options=("--network", "none", *options)) == ["ENOSYS"]


@pytest.mark.parametrize("family", [1, 2, 10, 16])
def test_socket_families_in_use(attack: Attack, family: int) -> None:
    number = {"x86_64": 41}.get(os.uname().machine, 198)
    (line,) = attack("call", str(number), str(family), "2", "0")
    assert line.startswith("OK") or line == "EAFNOSUPPORT"


def test_cve_2022_0492_release_agent(rootless: Rootless, busybox_image: str) -> None:
    script = (
        "mkdir /c; (unshare -Urm true || mount -t cgroup -o memory cgroup /c || mount -t cgroup2 cgroup2 /c)"
        " 2>/dev/null && echo MOUNTED; find / -xdev -name release_agent 2>/dev/null;"
        " (echo /x >/sys/fs/cgroup/release_agent) 2>/dev/null && echo WRITTEN; true"
    )
    assert rootless("run", "--rm", "--network", "none", busybox_image, "sh", "-c", script).stdout == ""
    script = "mkdir /c; mount -t cgroup -o rdma,devices cgroup /c 2>/dev/null && (echo /x >/c/release_agent) && echo WRITTEN; true"
    assert "WRITTEN" not in rootless("run", "--rm", "--privileged", busybox_image, "sh", "-c", script).stdout


@pytest.mark.parametrize("who", ["0", "1000"])
@pytest.mark.parametrize(
    "options", [(), ("--cap-add", "NET_ADMIN"), ("--security-opt", "no-new-privileges=false")]
)
def test_cve_2020_14300_and_2022_29162_no_capability_is_inherited(
    rootless: Rootless, busybox_image: str, who: str, options: tuple[str, ...]
) -> None:
    ask = ["grep", "-E", "^Cap(Inh|Amb)", "/proc/self/status"]
    none = ["CapInh:\t0000000000000000", "CapAmb:\t0000000000000000"]
    rootless("run", "-d", "--name", "box", "--network", "none", *options, busybox_image, "sleep", "60")
    assert rootless("exec", "-u", who, "box", *ask).lines == none
    assert rootless("exec", "-u", who, "--privileged", "box", *ask).lines == none
    if not without_range():  # there the kernel's are root's, whoever it is
        said = rootless("exec", "-u", "1000", "box", "grep", "CapEff", "/proc/self/status").stdout
        assert said == "CapEff:\t0000000000000000\n"
    rootless("rm", "-f", "box")
    assert (
        rootless("run", "--rm", "--network", "none", "-u", who, *options, busybox_image, *ask).lines == none
    )


def test_keys_of_the_session_stay_out(attack: Attack) -> None:
    """A key in the caller's session keyring: not in reach, with no filter in the way either."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall.restype = ctypes.c_long
    add, control = (248, 250) if os.uname().machine == "x86_64" else (217, 219)
    key = libc.syscall(add, b"user", b"rl-secret", b"hunter2", 7, -3)  # KEY_SPEC_SESSION_KEYRING
    need(key > 0, "this process cannot add keys")
    unfiltered = ("--network", "none", "--security-opt", "seccomp=unconfined")
    buffer = "@" + " " * 32
    try:
        for options in (unfiltered, (*unfiltered, "--cap-add", "ALL")):
            assert attack("call", str(control), "11", str(key), buffer, "32", options=options)[0] in {
                "EACCES",
                "ENOKEY",
                "EPERM",
            }
            assert attack("call", str(control), "10", "-3", "@user", "@rl-secret", "0", options=options)[
                0
            ] in {"ENOKEY", "EACCES"}
    finally:
        libc.syscall(control, 9, key, -3)


@pytest.mark.parametrize(
    "path", ["/proc/kcore", "/proc/sched_debug", "/proc/keys", "/proc/timer_list", "/proc/latency_stats"]
)
def test_files_that_tell_of_the_host(rootless: Rootless, busybox_image: str, path: str) -> None:
    out = rootless(
        "run", "--rm", "--network", "none", busybox_image, "sh", "-c", f"head -c 100 {path} 2>/dev/null; true"
    )
    assert out.stdout == ""


@pytest.mark.parametrize(
    "path",
    ["/proc/sys/kernel/core_pattern", "/proc/sys/kernel/modprobe", "/proc/sys/vm/panic_on_oom", "/proc/sysrq-trigger",
     "/sys/kernel/uevent_helper", "/proc/sys/fs/binfmt_misc/register", "/sys/kernel/mm/transparent_hugepage/enabled"],
)  # fmt: skip
def test_files_that_command_the_host(attack: Attack, path: str) -> None:
    expected = {"EROFS", "EACCES", "ENOENT", "EPERM"}
    assert set(attack("overwrite", path)) <= expected
    assert (
        set(
            attack(
                "overwrite", path, options=("--network", "none", "--security-opt", "systempaths=unconfined")
            )
        )
        <= expected
    )
    # Even with everything a container can have: the owner of these files is not in its user namespace.
    assert set(attack("overwrite", path, options=("--network", "none", "--privileged"))) <= expected


def test_shocker_open_by_handle(attack: Attack) -> None:
    """2014's "shocker": files of the host by their handles, through any file that is bound in."""
    everything = ("--network", "none", "--cap-add", "DAC_READ_SEARCH", "--security-opt", "seccomp=unconfined")
    for options in (("--network", "none"), everything):
        assert not attack("handle", "/etc/hosts", options=options)[-1].startswith("OK")


def test_typing_into_the_callers_terminal(attack: Attack) -> None:
    """TIOCSTI (CVE-2017-5226 elsewhere): a container has no terminal but one of its own."""
    assert not [line for line in attack("typing") if "OK" in line]


@pytest.mark.parametrize("options", [(), ("-i",)])
def test_typing_at_the_callers_terminal(
    rootless: Rootless, terminal: Callable[..., Terminal], busybox_image: str, payload: Path, options: tuple[str, ...]
) -> None:
    """The same with a terminal in reach: that of who says run, or exec."""
    mount = ("--network", "none", "-v", f"{payload}:/payload:ro")
    rootless("run", "-d", "--name", "box", *mount, busybox_image, "sleep", "60")
    for words in (("run", "--rm", *options, *mount, busybox_image), ("exec", *options, "box")):
        window = terminal(*words, "/payload", "typing")
        assert window.wait() == 0
        assert len(window.screen.split()) == 4, window.screen
        assert "OK" not in window.screen
    rootless("rm", "-f", "box")


def test_typing_at_the_terminal_of_the_runtime(trap: Path, payload: Path) -> None:
    """rootless-oci run without a terminal of the container's: the caller's is its stdin, as with runc."""
    oci = Runtime(installed(trap), trap, make_rootfs(trap / "rootfs"))
    shutil.copy(payload, oci.rootfs / "payload")
    oci.spec["process"]["args"] = ["/payload", "typing"]
    oci.write()
    argv = [str(oci.program), "--root", str(oci.state), "run", "--bundle", str(oci.bundle), "c"]
    window = Terminal(argv, dict(os.environ))
    assert window.wait() == 0
    assert "0 is a terminal: E" in window.screen
    assert "OK" not in window.screen


def test_memory_of_the_machine(rootless: Rootless, busybox_image: str) -> None:
    script = "for f in /dev/mem /dev/kmem /dev/port /dev/kmsg /dev/sda /dev/vda /dev/fuse /dev/kvm; do [ -e $f ] && echo $f; done; true"
    assert rootless("run", "--rm", "--network", "none", busybox_image, "sh", "-c", script).stdout == ""


def test_capability_defaults(rootless: Rootless, busybox_image: str) -> None:
    lines = rootless("run", "--rm", "--network", "none", busybox_image, "cat", "/proc/self/status").lines
    assert "NoNewPrivs:\t1" in lines
    assert "CapBnd:\t00000000800405fb" in lines


def test_set_user_id_programs_gain_nothing(rootless: Rootless, busybox_image: str, payload: Path) -> None:
    """By default; --security-opt no-new-privileges=false is for images that live by sudo."""
    number = {"x86_64": "107"}.get(os.uname().machine, "175")  # geteuid
    script = "cp /payload /tmp/own; chmod 4755 /tmp/own; echo ready; exec sleep 60"
    for options, expected in (((), "OK 1000\n"), (("--security-opt", "no-new-privileges=false"), "OK 0\n")):
        rootless("run", "-d", "--name", "box", "--network", "none", "-v", f"{payload}:/payload:ro", *options,
                 busybox_image, "sh", "-c", script)  # fmt: skip
        wait_until(lambda: rootless("logs", "box").stdout == "ready\n", "the file is made")
        assert rootless("exec", "-u", "1000", "box", "/tmp/own", "call", number).stdout == expected
        rootless("rm", "-f", "box")
