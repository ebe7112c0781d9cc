"""Mount targets, masks and /proc files that an image or another container turns into links."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness import images
from tests.harness.command import Rootless
from tests.harness.terminal import Terminal
from tests.oci.bundles import Runtime, installed, make_rootfs

ROUNDS = 12
DEEP = "/out" + "/d" * 30  # mounted last, for mounts are made in the order of their depth


@pytest.fixture
def root(trap: Path) -> Path:
    """A root with busybox and nothing else."""
    path = trap / "root"
    for name in ("bin", "tmp"):
        (path / name).mkdir(parents=True)
    images.plain_busybox(path)
    return path


@pytest.fixture
def victim(trap: Path) -> Path:
    """A directory of the host with a file of its own."""
    path = trap / "victim"
    path.mkdir()
    (path / "own").touch()
    return path


@pytest.fixture
def swapper(rootless: Rootless, busybox_image: str, payload: Path, trap: Path) -> Iterator[Path]:
    """A directory shared with a running container that exchanges `a` (a directory) and `b` (a link to
    the host's root, as the mount's caller would see it) as fast as it can."""
    shared = trap / "shared"
    (shared / "a").mkdir(parents=True)
    (shared / "b").symlink_to("../../../../../../../../../../")
    rootless("run", "-d", "--name", "swapper", "--network", "none", "-v", f"{shared}:/shared", "-v",
             f"{payload}:/payload:ro", busybox_image, "/payload", "swap", "/shared/a", "/shared/b")  # fmt: skip
    yield shared
    rootless("rm", "-f", "swapper")


def test_cve_2021_30465_targets_swapped_while_mounting(
    rootless: Rootless, busybox_image: str, swapper: Path, victim: Path, trap: Path
) -> None:
    """Were the first mount made where the link leads on the host, the second would bind what covers it."""
    source = trap / "source"
    source.mkdir()
    (source / "planted").write_text("x")
    for name in "ab" * (ROUNDS // 2):
        done = rootless("run", "--rm", "--network", "none", "-v", f"{swapper}:/shared", "-v",
                        f"{source}:/shared/{name}{victim}", "-v", f"{victim}:{DEEP}", busybox_image, "ls", DEEP,
                        status=None)  # fmt: skip
        assert done.status in (0, 125)
        assert done.stdout == ("" if done.status else "own\n")


def test_cve_2024_45310_nothing_is_made_outside(
    rootless: Rootless, busybox_image: str, swapper: Path, trap: Path
) -> None:
    """Missing targets are made: inside, wherever the link points at that moment."""
    depth = str(trap).lstrip("/")
    for number in range(ROUNDS):
        rootless("run", "--rm", "--network", "none", "-v", f"{swapper}:/shared", "--tmpfs",
                 f"/shared/a/{depth}/made-{number}", busybox_image, "true", status=None)  # fmt: skip
    assert [path.name for path in trap.iterdir() if path.name.startswith("made-")] == []


@pytest.mark.parametrize("name", ["proc", "sys"])
@pytest.mark.parametrize("target", ["/tmp/fake", "tmp", "..", "/proc/self/root", "/etc"])
def test_cve_2019_19921_and_2023_27561_and_2023_28642(
    rootless: Rootless, root: Path, name: str, target: str
) -> None:
    """/proc or /sys of the image is a link: their masks would be put on other files."""
    (root / "tmp/fake").mkdir()
    (root / "etc").mkdir()
    (root / name).symlink_to(target)
    done = rootless("run", "--rm", "--network", "none", "--rootfs", root, "busybox", "true", status=125)
    assert f"/{name}" in done.stderr


def masks(rootless: Rootless, dev: Path, image: str, *options: str) -> list[str]:
    script = (
        "for f in /proc/kcore /proc/keys /proc/timer_list; do [ -e $f ] || continue; wc -c <$f; done;"
        " (echo pwned >/proc/sys/kernel/core_pattern) 2>/dev/null && echo WRITTEN;"
        " (echo x >/proc/sysrq-trigger) 2>/dev/null && echo WRITTEN;"
        " cat /proc/self/mountinfo"
    )
    return rootless(
        "run", "--rm", "--network", "none", "-v", f"{dev}:/dev", *options, image, "sh", "-c", script
    ).lines


@pytest.mark.parametrize("target", ["/proc/sys/kernel/core_pattern", "/proc/sysrq-trigger", "/etc/passwd"])
def test_cve_2025_31133_dev_null_is_a_link(
    rootless: Rootless, busybox_image: str, trap: Path, target: str
) -> None:
    """Masks are made with /dev/null: of the host, not with what the container calls so."""
    dev = trap / "dev"
    dev.mkdir()
    (dev / "null").symlink_to(target)
    lines = masks(rootless, dev, busybox_image)
    assert "WRITTEN" not in lines
    assert not [line for line in lines if " /proc/k" in line and "/null " not in line]


@pytest.mark.parametrize(
    ("name", "target", "status"),
    [("console", "/proc/sys/kernel/core_pattern", 1), ("pts", "/proc/sys/kernel", 1),
     ("ptmx", "/proc/sys/kernel/core_pattern", 0)],
)  # fmt: skip
def test_cve_2025_52565_dev_console_is_a_link(trap: Path, name: str, target: str, status: int) -> None:
    """The terminal is bound to /dev/console before or after the masks: over a link to a masked file."""
    oci = Runtime(installed(trap), trap, make_rootfs(trap / "rootfs"))
    dev = trap / "dev"
    (dev / "pts").mkdir(parents=True)
    if name == "pts":
        (dev / "pts").rmdir()
    (dev / name).symlink_to(target)
    kept = [entry for entry in oci.spec["mounts"] if entry["destination"] in ("/proc", "/dev/pts")]
    bound = {"destination": "/dev", "source": str(dev), "options": ["bind"]}
    oci.spec["mounts"] = [kept[0], bound, kept[1]]
    oci.spec["process"].update(terminal=True, args=["cut", "-d ", "-f5", "/proc/self/mountinfo"])
    oci.write()
    argv = [str(oci.program), "--root", str(oci.state), "run", "--bundle", str(oci.bundle), "c"]
    window = Terminal(argv, dict(os.environ))
    assert window.wait() == status, window.screen
    if status:
        assert f"/dev/{name}" in window.screen
    else:
        assert {"/", "/dev/pts", "/dev/console", "/proc/sys"} <= set(window.screen.split())
        assert "/proc/sys/kernel" not in window.screen


def test_cve_2025_52881_what_is_written_to_proc_goes_to_proc(
    rootless: Rootless, busybox_image: str, trap: Path
) -> None:
    """Files mounted over /proc: a sysctl is written to the kernel's own file, or not at all."""
    fake = trap / "fake"
    fake.write_text("untouched")
    done = rootless("run", "--rm", "--network", "none", "-v", f"{fake}:/proc/sys/net/ipv4/ip_forward", "--sysctl",
                    "net.ipv4.ip_forward=1", busybox_image, "true", status=125)  # fmt: skip
    assert "ip_forward" in done.stderr
    assert fake.read_text() == "untouched"
    # One file of /proc over another: still procfs, still not the file that was meant.
    done = rootless("run", "--rm", "--network", "none", "-v", "/proc/self/coredump_filter:/proc/sys/net/ipv4/ip_forward",
                    "--sysctl", "net.ipv4.ip_forward=1", busybox_image, "true", status=125)  # fmt: skip
    assert "ip_forward" in done.stderr


def test_cve_2022_0811_a_sysctl_is_one_sysctl(rootless: Rootless, busybox_image: str) -> None:
    words = [
        "kernel.shm_rmid_forced=1+kernel.core_pattern=|/x",
        "kernel.core_pattern=|/x",
        "net.../.../kernel.panic=1",
    ]
    for word in words:
        rootless("run", "--rm", "--network", "none", "--sysctl", word, busybox_image, "true", status=125)


@pytest.mark.parametrize("link", ["escape", "deep/escape"])
@pytest.mark.parametrize("propagation", ["rprivate", "rslave", "rshared"])
def test_cve_2024_1753_and_2024_9407_links_as_targets(
    rootless: Rootless, root: Path, victim: Path, trap: Path, link: str, propagation: str
) -> None:
    """A target that is a link to "/": the container's, whatever it is on the host, with every propagation."""
    (root / "deep").mkdir()
    (root / link).symlink_to("/")
    source = trap / "source"
    source.mkdir()
    script = f"busybox touch {victim}/inside; busybox ls {DEEP}"
    done = rootless("run", "--rm", "--network", "none", "-v", f"{source}:/{link}{victim}:{propagation}",
                    "-v", f"{victim}:{DEEP}", "--rootfs", root, "busybox", "sh", "-c", script)  # fmt: skip
    assert done.stdout == "own\n", "the host's directory was not covered"
    assert (source / "inside").exists(), "the mount is inside, where the link leads there"
    assert [path.name for path in victim.iterdir()] == ["own"]
    assert not os.path.ismount(victim)


def test_cve_2024_9341_no_directory_of_the_host_comes_along(rootless: Rootless, root: Path) -> None:
    """FIPS mode, subscription secrets: links in the image where other engines mount from the host."""
    (root / "usr/share/crypto-policies/back-ends").mkdir(parents=True)
    (root / "etc").mkdir()
    (root / "etc/system-fips").write_text("")
    (root / "etc/crypto-policies").symlink_to("/")
    (root / "run").symlink_to("/")
    out = rootless("run", "--rm", "--network", "none", "--rootfs", root,
                   "busybox", "cut", "-d ", "-f5", "/proc/self/mountinfo")  # fmt: skip
    ours = {"/", "/etc/hosts", "/etc/hostname", "/etc/resolv.conf"}
    assert "/" in out.lines
    assert [line for line in out.lines if not line.startswith(("/proc", "/sys", "/dev")) and line not in ours] == []


def test_cve_2023_25809_cgroups_are_read_only(rootless: Rootless, busybox_image: str) -> None:
    script = "cd /sys/fs/cgroup; mkdir new 2>/dev/null && echo MADE; (echo 0 >cgroup.procs) 2>/dev/null && echo MOVED; true"
    for options in ((), ("--cgroupns", "host")):
        assert (
            rootless("run", "--rm", "--network", "none", *options, busybox_image, "sh", "-c", script).stdout
            == ""
        )


def test_a_rootfs_behind_a_link_stays_what_it_was_when_it_started(
    rootless: Rootless, root: Path, victim: Path, trap: Path
) -> None:
    """--rootfs may be a link. Whoever leads it elsewhere later changes nothing for a container that runs: not
    what it sees, not where exec and cp go."""
    link, sent = trap / "link", trap / "sent"
    link.symlink_to(root)
    sent.write_text("for the container")
    (root / "whose").write_text("the container's")
    (victim / "whose").write_text("the host's")
    rootless("run", "-d", "--name", "box", "--network", "none", "--rootfs", link, "busybox", "sleep", "60")
    link.unlink()
    link.symlink_to(victim)
    assert rootless("exec", "box", "busybox", "cat", "/whose").stdout == "the container's"
    rootless("cp", "box:/whose", trap / "got")
    assert (trap / "got").read_text() == "the container's"
    rootless("cp", sent, "box:/sent")
    assert (root / "sent").read_text() == "for the container"
    assert sorted(path.name for path in victim.iterdir()) == ["own", "whose"]
    rootless("rm", "-f", "box")


@pytest.mark.parametrize("target", ["/dev", "/dev/pts"])
def test_a_terminal_comes_from_the_containers_devpts_alone(
    rootless: Rootless, busybox_image: str, trap: Path, target: str
) -> None:
    """Whatever looks like one in a directory that covers it: a plain ptmx, a link to the host's."""
    devices = trap / "devices"
    for name in (devices, devices / "pts"):
        name.mkdir()
        (name / "ptmx").symlink_to("/dev/ptmx")
    options = ("--network", "none", "-v", f"{devices}:{target}")
    rootless("run", "-d", "--name", "box", *options, busybox_image, "sleep", "60")
    runs = (125, ("run", "--rm", "-t", *options, busybox_image, "true"))
    for status, words in (runs, (126, ("exec", "-t", "box", "true"))):
        done = rootless(*words, status=status)
        assert "cannot have a terminal: /dev/pts of the container is not a devpts" in done.stderr
        assert "hint: do without a terminal (-t), or mount nothing over /dev and /dev/pts" in done.stderr
    rootless("rm", "-f", "box")
