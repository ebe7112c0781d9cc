"""What of the machine's mounts a container over it does not see."""

from __future__ import annotations

from rootless.engine.files.mounts.host_root import hide

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
