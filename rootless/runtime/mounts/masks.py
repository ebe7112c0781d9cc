"""What of /proc and /sys is hidden or made read-only. Default lists as Docker's (moby oci/defaults.go). Hot path."""

from __future__ import annotations

import os
import stat

from rootless.errors import NotSupported
from rootless.linux import mount as m
from rootless.record import Record
from rootless.runtime.mounting import ATTACH, set_attributes
from rootless.runtime.rootfs_path import mount_target, open_in_root

MASKED_PATHS = (
    "/proc/asound",
    "/proc/acpi",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/sys/firmware",
    "/sys/devices/virtual/powercap",
)
READONLY_PATHS = (
    "/proc/bus",
    "/proc/fs",
    "/proc/irq",
    "/proc/sys",
    "/proc/sysrq-trigger",
)

_NULL_DEVICE = os.makedev(1, 3)
_HARDENED = m.MS_NOSUID | m.MS_NODEV | m.MS_NOEXEC | m.MS_RDONLY


class Mask(Record):
    """Hide a file behind /dev/null, a directory behind an empty read-only tmpfs; what does not
    exist needs no hiding."""

    guest_path: str

    def describe(self) -> str:
        return f"mask {self.guest_path}"

    def apply(self, root_fd: int) -> None:
        target = _open(root_fd, self.guest_path)
        if target < 0:
            return
        try:
            if stat.S_ISDIR(os.fstat(target).st_mode):
                path = f"/proc/self/fd/{target}"
                m.mount("tmpfs", path, "tmpfs", _HARDENED, "size=0,nr_inodes=1,mode=755")
            else:
                _cover_with_null(target)
        finally:
            os.close(target)


def _open(root_fd: int, guest_path: str) -> int:
    """A descriptor of it, -1 where there is none: then there is nothing to hide."""
    try:
        return open_in_root(root_fd, guest_path)
    except (FileNotFoundError, NotADirectoryError):
        return -1


def _cover_with_null(target: int) -> None:
    # The host's node, not the container's /dev/null, and looked at after it was opened: a
    # swapped one would bind whatever it is over the file (CVE-2025-31133).
    fd = m.open_tree(m.AT_FDCWD, "/dev/null", m.OPEN_TREE_CLONE)
    try:
        status = os.fstat(fd)
        if not stat.S_ISCHR(status.st_mode) or status.st_rdev != _NULL_DEVICE:
            raise NotSupported("/dev/null of this machine is not the null device")
        m.move_mount(fd, "", target, "", ATTACH)
    finally:
        os.close(fd)


class ReadonlyPath(Record):
    """A path bound onto itself, read-only with all below it; skipped where it does not exist."""

    guest_path: str

    def describe(self) -> str:
        return f"make {self.guest_path} read-only"

    def apply(self, root_fd: int) -> None:
        target = _open(root_fd, self.guest_path)
        if target < 0:
            return
        try:
            fd = m.open_tree(target, "", m.OPEN_TREE_CLONE | m.AT_RECURSIVE | m.AT_EMPTY_PATH)
            try:
                set_attributes(fd, attr=m.MOUNT_ATTR_RDONLY, recursive=True)
                m.move_mount(fd, "", target, "", ATTACH)
            finally:
                os.close(fd)
        finally:
            os.close(target)


class Kept(Record):
    """What has just been mounted at `guest_path`, held for ReadonlyMounts: a later mount may cover it."""

    guest_path: str
    held: list[int]

    def describe(self) -> str:
        return f"hold {self.guest_path}, to be made read-only"

    def apply(self, root_fd: int) -> None:
        self.held.append(mount_target(root_fd, self.guest_path, directory=True))


class ReadonlyMounts(Record):
    """New file systems that are asked for read-only: until now something could still be made in them."""

    held: list[int]  # one list with the plan's Kept

    def describe(self) -> str:
        return "make new file systems read-only"

    def apply(self, root_fd: int) -> None:
        for fd in self.held:
            set_attributes(fd, attr=m.MOUNT_ATTR_RDONLY)
            os.close(fd)
        self.held.clear()


class ReadonlyRoot(Record):
    """The root itself, last: until now mount points could still be made in it."""

    def describe(self) -> str:
        return "make the root read-only"

    def apply(self, root_fd: int) -> None:
        set_attributes(root_fd, attr=m.MOUNT_ATTR_RDONLY)


# Steps at a plan's end that wait until nothing more is to be made in the container's file system.
CLOSING = (ReadonlyMounts, ReadonlyRoot)
