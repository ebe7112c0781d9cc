"""What of the machine's mounts a container over it does not see."""

from __future__ import annotations

from pathlib import Path

from rootless.engine.files.mounts.host_root import hide, reached

LINE = "36 35 98:0 / {} rw,noatime master:1 - {} /dev/root rw\n"


def test_hidden() -> None:
    mounts = [
        ("/", "ext4"), ("/usr", "ext4"), ("/opt/apps", "nfs4"), ("/var/lib/lxcfs", "fuse.lxcfs"), ("/proc", "proc"), ("/run/lock", "tmpfs"),
        ("/scratch", "lustre"), ("/data/with\\040blank", "ext4"), ("/usrlocal", "ext4"), ("/scratch/deeper", "nfs"),
    ]  # fmt: skip
    text = "".join(LINE.format(*mount) for mount in mounts)
    assert hide(text, ("/home", "/proc", "/run", "/home/ann", "/site/ann")) == [
        "/data/with blank", "/home", "/proc", "/run", "/scratch", "/site/ann", "/usrlocal", "/var/lib/lxcfs",
    ]  # fmt: skip


def test_a_home_behind_a_link_is_hidden_where_it_is(tmp_path: Path) -> None:
    (tmp_path / "export/home/ann").mkdir(parents=True)
    (tmp_path / "home").symlink_to("export/home")
    found = reached((str(tmp_path / "home"), str(tmp_path / "home/ann"), "/proc"))
    assert hide(LINE.format("/", "ext4"), found) == sorted([f"{tmp_path}/export/home", "/proc"])
