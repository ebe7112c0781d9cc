"""What is mounted, and when it is closed: beside runc, with the same configuration."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.oci.bundles import SAFE, Runtime

Change = Callable[[dict[str, Any]], None]


def tmpfs(path: str, *options: str) -> dict[str, Any]:
    return {"destination": path, "type": "tmpfs", "source": "tmpfs", "options": [*options]}


def mounting(*entries: dict[str, Any]) -> Change:
    return lambda spec: spec["mounts"].extend(entries)


def readonly_dev(spec: dict[str, Any]) -> None:
    next(entry for entry in spec["mounts"] if entry["destination"] == "/dev")["options"].append("ro")


def readonly_root(spec: dict[str, Any]) -> None:
    spec["root"]["readonly"] = True
    spec["process"]["cwd"] = "/new/directory"


def hooked(spec: dict[str, Any]) -> None:
    spec["root"]["readonly"] = True
    made = f"rm -rf {spec['root']['path']}/made; mkdir {spec['root']['path']}/made"
    hook = {"path": "/bin/sh", "args": ["sh", "-ec", made], "env": ["PATH=/usr/bin:/bin"]}
    spec["hooks"] = {"createContainer": [hook]}


def ptmx(spec: dict[str, Any]) -> None:
    spec["linux"]["devices"] = [{"path": "/dev//ptmx", "type": "c", "major": 5, "minor": 2}]


def masked_link(spec: dict[str, Any]) -> None:
    """What the link leads to is hidden, by whatever name it is called."""
    link = Path(spec["root"]["path"]) / "link"
    if not link.is_symlink():  # both runtimes have this root
        link.symlink_to("data/kept")
    spec["linux"]["maskedPaths"] += ["/link", "/nowhere"]


SHOWN = "grep -E ' /(x|x/a|dev|data|t|) ' /proc/self/mountinfo | cut -d' ' -f5,6 | sort; "

CASES: list[tuple[str, Change, str]] = [
    ("copied up", mounting(tmpfs("/data", "ro", "tmpcopyup")), SHOWN + "cat /data/kept; touch /data/x; echo $?"),
    ("a mount below", mounting(tmpfs("/x", "ro", *SAFE), tmpfs("/x/a")), SHOWN + "touch /x/y; echo $?; touch /x/a/y; echo $?"),
    ("dev", readonly_dev, SHOWN + "ls /dev; touch /dev/x; echo $?; echo a > /dev/null; touch /dev/shm/x; echo $?"),
    ("working directory", readonly_root, SHOWN + "pwd; touch x; echo $?"),
    ("hooks", hooked, SHOWN + "ls -d /made; touch /made/x; echo $?"),
    ("a mask over a link", masked_link, "cat /link /data/kept; echo $?; test -L /link; echo $?; test -c /data/kept; echo $?"),
    ("ptmx", ptmx, "readlink /dev/ptmx; test $(stat -L -c %d /dev/ptmx) = $(stat -c %d /dev/pts); echo $?"),
    ("mode of a directory", mounting(tmpfs("/private", "nodev"), tmpfs("/sticky")), "stat -c '%n %a' /private /sticky"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "script"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_as_runc(oci: Runtime, runc: Runtime, change: Change, script: str) -> None:
    for name, mode in (("private", 0o700), ("sticky", 0o3771)):
        (oci.rootfs / name).mkdir()
        (oci.rootfs / name).chmod(mode)
    seen = []
    for runtime in (runc, oci):
        runtime.write()
        change(runtime.spec)
        seen.append(runtime.run("sh", "-c", script))
    assert seen[1] == seen[0]


def test_a_mode_that_is_asked_for_and_one_of_no_directory(oci: Runtime) -> None:
    (oci.rootfs / "given").mkdir(mode=0o755)
    oci.spec["mounts"] += [tmpfs("/given", "mode=701"), tmpfs("/fresh")]
    assert oci.run("sh", "-c", "stat -c %a /given /fresh") == "701\n1777\n"


def test_a_mount_over_a_read_only_one(oci: Runtime) -> None:
    """It is as it was asked for; runc closes the upper one."""
    oci.spec["mounts"] += [tmpfs("/x", "ro"), tmpfs("/x"), tmpfs("/y"), tmpfs("/y", "ro")]
    assert oci.run("sh", "-c", "touch /x/a; echo $?; touch /y/a 2>/dev/null; echo $?") == "0\n1\n"


def test_a_read_only_bind_is_closed_at_once(oci: Runtime) -> None:
    """What its owner gives read-only gets no directory of ours, not even a mount point."""
    given = oci.bundle / "given"
    given.mkdir()
    bind = {"destination": "/x", "type": "bind", "source": str(given), "options": ["rbind", "ro"]}
    oci.spec["mounts"] += [bind, tmpfs("/x/a")]
    oci.run("true", status=1)
    assert list(given.iterdir()) == []


RECURSIVE = [
    ("rro", "ro,relatime"),
    ("rnosuid", "rw,nosuid,relatime"),
    ("rnodev", "rw,nodev,relatime"),
    ("rnoexec", "rw,noexec,relatime"),
    ("rnoatime", "rw,noatime"),
    ("rnodiratime", "rw,nodiratime,relatime"),
    ("rnosymfollow", "rw,relatime,nosymfollow"),
]


@pytest.mark.parametrize(("word", "shown"), RECURSIVE, ids=[word for word, _ in RECURSIVE])
def test_recursive_words_of_a_new_file_system(oci: Runtime, word: str, shown: str) -> None:
    """runc 1.1 takes them and does nothing; runc 1.2 and crun as we."""
    oci.spec["mounts"].append(tmpfs("/x", word))
    assert oci.run("sh", "-c", "grep ' /x ' /proc/self/mountinfo | cut -d' ' -f6") == f"{shown}\n"


def test_recursive_words_of_a_bind(oci: Runtime) -> None:
    below = oci.bundle / "below"
    below.mkdir()
    bind = {"destination": "/x", "type": "bind", "source": str(below), "options": ["rbind", "rro", "rnoexec"]}
    oci.spec["mounts"].append(bind)
    options = oci.run("sh", "-c", "grep ' /x ' /proc/self/mountinfo | cut -d' ' -f6").strip().split(",")
    assert {"ro", "noexec"} <= set(options)


def test_a_hosts_tree_that_is_asked_for_read_only(oci: Runtime) -> None:
    """Without a namespace of its own the container sees the host's, no more writable than was asked."""
    namespaces = oci.spec["linux"]["namespaces"]
    oci.spec["linux"]["namespaces"] = [entry for entry in namespaces if entry["type"] != "pid"]
    oci.spec["linux"]["readonlyPaths"] = oci.spec["linux"]["maskedPaths"] = []
    next(entry for entry in oci.spec["mounts"] if entry["destination"] == "/proc")["options"] = ["ro"]
    options = oci.run("sh", "-c", "grep ' /proc ' /proc/self/mountinfo | cut -d' ' -f6 | tail -n 1")
    assert "ro" in options.strip().split(",")


def test_a_device_is_found_by_its_number(oci: Runtime) -> None:
    """containerd names a device by its path in the container: that the host has it, or another one, under that name is not said."""
    zero = {"type": "c", "major": 1, "minor": 5}
    oci.spec["linux"]["devices"] = [{"path": path, **zero} for path in ("/dev/mine", "/dev/fuse", "/dev/deep/down")]
    script = "for each in mine fuse deep/down; do stat -c '%F %t:%T' /dev/$each; head -c 5 /dev/$each | wc -c; done"
    assert oci.run("sh", "-c", script) == "character special file 1:5\n5\n" * 3
    for kind, what in (("b", "block"), ("c", "character")):
        oci.spec["linux"]["devices"] = [{"path": "/dev/zero2", "type": kind, "major": 4000, "minor": 5}]
        assert f"device /dev/zero2: this machine's /dev has no {what} device 4000:5" in oci.run("true", status=1)
