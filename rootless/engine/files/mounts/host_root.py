"""The root of a container over the machine's own files: what of the machine is hidden. Imported where there is one.

Shown is the machine's root file system, and file systems mounted below the system's directories. Everything else that
is mounted, and what is users' or the moment's, is an empty directory: whoever wants it mounts it (-v).
"""

from __future__ import annotations

import os
import pwd

from rootless import paths
from rootless.engine.state.config import ContainerConfig
from rootless.errors import NotSupported
from rootless.runtime.mounts.rootfs import Rootfs
from rootless.storage.store import Store

_SYSTEM = ("/bin", "/boot", "/etc", "/lib", "/lib32", "/lib64", "/libx32", "/opt", "/sbin", "/srv", "/usr", "/var")
_HIDDEN = ("/dev", "/home", "/media", "/mnt", "/proc", "/root", "/run", "/sys", "/tmp", "/var/tmp")
_SHOWN_TYPES = frozenset(("ext2", "ext3", "ext4", "xfs", "btrfs", "zfs", "f2fs", "squashfs", "erofs", "nfs", "nfs4", "lustre", "gpfs",
                          "beegfs", "ceph", "overlay", "bcachefs"))  # fmt: skip


def over_host(store: Store, root: Rootfs, record: ContainerConfig) -> Rootfs:
    """`root`, prepared for fuse-overlayfs, with the machine's files below its layers; NotSupported. In the session."""
    if record.get("id_map"):
        raise NotSupported(
            f"the machine's own files cannot be shown with other ids (--userns={record['userns'] or 'of the pod'})",
            hint="leave --userns away",
        )
    why = ""
    if not paths.find_program("fuse-overlayfs"):
        why = "fuse-overlayfs is not installed"
    elif not os.access("/dev/fuse", os.R_OK | os.W_OK):
        why = "/dev/fuse cannot be used"
    if why:
        raise NotSupported(f"the machine itself cannot be a root here: {why}", hint="ask the administrator for the package fuse-overlayfs")
    with open("/proc/self/uid_map") as file:
        ranges = [[int(word) for word in line.split()] for line in file]
    # Whoever has no number here is nobody: root, mostly. With one id no file can be given to anybody else. The last is the first
    # that fuse-overlayfs looks at: what root makes is 0's.
    mapped = "65534:0:1:0:0:65534" if sum(size for _, _, size in ranges) > 65534 else ""
    with open("/proc/self/mountinfo") as file:
        hidden = hide(file.read(), reached((*_HIDDEN, *_homes(ranges[0][1]), store.root, store.home, store.runtime)))
    return root._replace(host=tuple(hidden), uid_map=mapped, gid_map=mapped)


def reached(named: tuple[str, ...]) -> tuple[str, ...]:
    """Where these are: /home may be a link, and what is behind it is in the root file system all the same."""
    return tuple(os.path.realpath(path) for path in named)


def hide(mountinfo: str, always: tuple[str, ...]) -> list[str]:
    """What is hidden, parents alone, of a machine with these mounts. Pure."""
    wanted = {os.path.normpath(path) for path in always}
    for line in mountinfo.splitlines():
        words, _, more = line.partition(" - ")
        point = words.split()[4].replace("\\040", " ").replace("\\134", "\\")
        system = any(point == top or point.startswith(top + "/") for top in _SYSTEM)
        if point != "/" and not (system and more.split()[0] in _SHOWN_TYPES):
            wanted.add(point)
    kept: list[str] = []
    for path in sorted(wanted):
        if path != "/" and not any(path.startswith(above + "/") for above in kept):
            kept.append(path)
    return kept


def _homes(uid: int) -> list[str]:
    found = [os.environ.get("HOME", "")]
    try:
        found.append(pwd.getpwuid(uid).pw_dir)
    except KeyError:
        pass
    return [path for path in found if path.startswith("/")]
