"""What a container sees, and what it cannot touch: Docker's defaults."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.harness import images
from tests.harness.command import Rootless
from tests.harness.podman import Podman
from tests.need import without_range

# Podman's default set: CHOWN DAC_OVERRIDE FOWNER FSETID KILL SETGID SETUID SETPCAP NET_BIND_SERVICE SYS_CHROOT SETFCAP.
PODMAN_CAPABILITIES = 0x00000000800405FB


def run(rootless: Rootless, image: str, script: str, *options: str) -> list[str]:
    return rootless("run", "--rm", "--network", "none", *options, image, "sh", "-c", script).lines


def test_every_namespace_is_its_own(rootless: Rootless, busybox_image: str) -> None:
    kinds = ("user", "mnt", "pid", "net", "ipc", "uts", "cgroup")
    theirs = run(rootless, busybox_image, f"for n in {' '.join(kinds)}; do readlink /proc/self/ns/$n; done")
    ours = [os.readlink(f"/proc/self/ns/{kind}") for kind in kinds]
    assert not set(theirs) & set(ours)


def test_root_inside_is_the_user_outside(rootless: Rootless, busybox_image: str, tmp_path: Path) -> None:
    run(rootless, busybox_image, "touch /w/root; chown 1:1 /w/root; touch /w/again", "-v", f"{tmp_path}:/w")
    assert (tmp_path / "again").stat().st_uid == os.getuid()
    assert ((tmp_path / "root").stat().st_uid in (0, 1, os.getuid())) == without_range()
    run(rootless, busybox_image, "rm /w/root", "-v", f"{tmp_path}:/w")


def test_capabilities_are_podmans(rootless: Rootless, busybox_image: str) -> None:
    (line,) = run(rootless, busybox_image, "grep CapEff /proc/self/status")
    assert int(line.split()[1], 16) == PODMAN_CAPABILITIES
    (line,) = run(
        rootless, busybox_image, "grep CapBnd /proc/self/status", "--cap-drop", "all", "--cap-add", "chown"
    )
    assert int(line.split()[1], 16) == 1


def test_seccomp_is_on(rootless: Rootless, busybox_image: str) -> None:
    assert run(rootless, busybox_image, "grep Seccomp: /proc/self/status") == ["Seccomp:\t2"]
    off = run(
        rootless, busybox_image, "grep Seccomp: /proc/self/status", "--security-opt", "seccomp=unconfined"
    )
    assert off == (["Seccomp:\t2"] if without_range() else ["Seccomp:\t0"]), "emulated ids have a filter of their own"


def test_no_new_privileges(rootless: Rootless, busybox_image: str) -> None:
    lines = run(
        rootless, busybox_image, "grep NoNewPrivs /proc/self/status", "--security-opt", "no-new-privileges"
    )
    assert lines == ["NoNewPrivs:\t1"]


@pytest.mark.parametrize(
    "attack",
    [
        "mount -t tmpfs none /tmp",
        "umount /proc/kcore || umount /proc/keys",
        "unshare -U true",
        "echo 1 >/proc/sys/kernel/panic",
        "echo b >/proc/sysrq-trigger",
        "mknod /tmp/disk b 8 0 && head -c 1 /tmp/disk",
        "cat /proc/kcore | head -c 1 | grep -q .",
        "hostname stolen",
        "chroot / true && mount -o remount,rw /sys",
    ],
)
def test_refused(rootless: Rootless, busybox_image: str, attack: str) -> None:
    assert run(rootless, busybox_image, f"({attack}) >/dev/null 2>&1 && echo DONE || echo refused") == [
        "refused"
    ]


def test_devices(rootless: Rootless, busybox_image: str) -> None:
    names = set(run(rootless, busybox_image, "ls /dev"))
    expected = {"fd", "full", "mqueue", "null", "ptmx", "pts", "random", "shm", "stderr", "stdin", "stdout"}
    assert expected | {"tty", "urandom", "zero"} <= names
    assert not {"sda", "vda", "mem", "kmsg", "fuse"} & names
    assert run(rootless, busybox_image, "echo x >/dev/null && head -c 4 /dev/zero | wc -c") == ["4"]


def test_no_descriptor_leaks_in(rootless: Rootless, busybox_image: str) -> None:
    with open("/etc/passwd", "rb") as file:
        os.set_inheritable(file.fileno(), True)
        lines = run(rootless, busybox_image, "ls -l /proc/self/fd")
    assert not [line for line in lines if "passwd" in line or "socket" in line or "memfd" in line]
    assert len([line for line in lines if "->" in line]) <= 4


def test_network_none_has_loopback_only(rootless: Rootless, busybox_image: str) -> None:
    lines = run(rootless, busybox_image, "ip -o addr")
    assert {line.split()[1] for line in lines} == {"lo"}
    assert "127.0.0.1/8" in lines[0]


def test_host_namespaces_when_asked(rootless: Rootless, busybox_image: str) -> None:
    done = rootless(
        "run",
        "--rm",
        "--network",
        "host",
        "--uts",
        "host",
        busybox_image,
        "sh",
        "-c",
        "readlink /proc/self/ns/net; hostname",
    )
    assert done.lines == [os.readlink("/proc/self/ns/net"), os.uname().nodename]


def test_privileged_means_all_of_the_namespace(rootless: Rootless, busybox_image: str) -> None:
    assert run(rootless, busybox_image, "mount -t tmpfs none /tmp && echo mounted", "--privileged") == [
        "mounted"
    ]


def test_mount_target_cannot_leave_the_root(rootless: Rootless, tmp_path: Path) -> None:
    """A link in the image that points out of it is followed inside the container's root."""
    root, outside, source = tmp_path / "root", tmp_path / "outside", tmp_path / "source"
    for directory in (root / "bin", outside, source):
        directory.mkdir(parents=True)
    images.plain_busybox(root)
    (root / "escape").symlink_to(outside)
    (source / "f").write_text("bound")
    out = rootless(
        "run", "--rm", "--network", "none", "-v", f"{source}:/escape/x", "--rootfs", root,
        "/bin/busybox", "cat", "/escape/x/f",
    )  # fmt: skip
    assert out.stdout == "bound"
    assert list(outside.iterdir()) == []


def test_same_masks_as_podman(
    rootless: Rootless, busybox_image: str, podman: Podman, busybox_archive: Path
) -> None:
    """Every path under /proc that Podman hides or makes read-only, we do too."""
    podman("load", "-i", busybox_archive)
    ask = "grep -E ' /(proc|sys)/' /proc/self/mounts | grep -v /sys/fs/cgroup | cut -d' ' -f2 | sort -u"
    theirs = set(podman.output("--network", "none", "busybox", "sh", "-c", ask).split())
    assert theirs <= set(run(rootless, busybox_image, ask)) | {"/sys/dev/block", "/sys/fs/selinux"}


def test_anybody_inside_may_ping_and_use_low_ports(rootless: Rootless, busybox_image: str) -> None:
    """Docker's two sysctls of a container's own network: no capability is needed for either."""
    script = (
        "cat /proc/sys/net/ipv4/ping_group_range;"
        " (nc -l -p 80 & sleep 0.5; cat /proc/net/tcp /proc/net/tcp6 | grep -c ':0050 '; kill %1) 2>&1"
    )
    # Emulated users are one for the kernel: 0.
    ways: tuple[tuple[str, ...], ...] = ((), ("--network", "none"), *(() if without_range() else (("--userns", "auto"),)))
    for words in ways:
        out = rootless("run", "--rm", "-u", "33:33", *words, busybox_image, "sh", "-c", script).lines
        assert out[0].startswith("0\t")
        assert int(out[0].split()[1]) >= (0 if without_range() else 65534)
        assert out[1] == "1"
    asked = ("--sysctl", "net.ipv4.ip_unprivileged_port_start=1024")
    out = rootless("run", "--rm", *asked, busybox_image, "cat", "/proc/sys/net/ipv4/ip_unprivileged_port_start").lines
    assert out == ["1024"]


def test_what_is_read_only_is_so_when_all_is_made(rootless: Rootless, busybox_image: str) -> None:
    """Mount points, a copied directory and the working directory are made first."""
    script = "pwd; touch x /t/x /t/below/x 2>&1; stat -c %a /etc"
    options = ("--read-only", "-w", "/not/there", "--tmpfs", "/t:ro", "--tmpfs", "/t/below", "--tmpfs", "/etc")
    found = run(rootless, busybox_image, script, *options)
    assert found == ["/not/there", "touch: x: Read-only file system", "touch: /t/x: Read-only file system", "755"]
