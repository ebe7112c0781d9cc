"""What comes to stand in /dev: links, the host's nodes bound, and nodes that are made, by real root alone. Hot path."""

from __future__ import annotations

import os
import stat

from rootless.errors import InvalidInput, NotSupported
from rootless.linux import mount as m
from rootless.record import Record
from rootless.runtime.mounting import attach
from rootless.runtime.rootfs_path import mount_target


class Symlink(Record):
    """A link in /dev; one that is there already stays."""

    target: str
    guest_path: str

    def describe(self) -> str:
        return f"link {self.guest_path} to {self.target}"

    def apply(self, root_fd: int) -> None:
        parent, name = os.path.split(self.guest_path)
        fd = mount_target(root_fd, parent, directory=True)
        try:
            os.symlink(self.target, name, dir_fd=fd)
        except FileExistsError:
            pass
        finally:
            os.close(fd)


class DeviceNode(Record):
    """A device node of the host, bound: a user namespace cannot make nodes."""

    host_path: str
    guest_path: str
    rdev: int = 0
    optional: bool = False

    def describe(self) -> str:
        return f"bind device {self.host_path} to {self.guest_path}"

    def apply(self, root_fd: int) -> None:
        try:
            fd = m.open_tree(m.AT_FDCWD, self.host_path, m.OPEN_TREE_CLONE)
        except FileNotFoundError:
            if self.optional:
                return
            raise InvalidInput(
                f'error gathering device information while adding custom device "{self.host_path}":'
                " no such file or directory"
            ) from None
        try:
            status = os.fstat(fd)
            if self.rdev and status.st_rdev != self.rdev:
                raise NotSupported(f"{self.host_path} is not the device it should be")
            attach(fd, root_fd, self.guest_path, directory=stat.S_ISDIR(status.st_mode))
        finally:
            os.close(fd)


class Node(Record):
    """A node of the container's own, so that what its root does to it is not done to the host's.
    Where the kernel does not let us make one, the host's node of the same path is bound."""

    guest_path: str
    mode: int  # with the bits of its type
    rdev: int
    uid: int = 0
    gid: int = 0

    def describe(self) -> str:
        return f"make the device {self.guest_path}"

    def apply(self, root_fd: int) -> None:
        parent, name = os.path.split(self.guest_path)
        directory = mount_target(root_fd, parent, directory=True)
        try:
            os.mknod(name, self.mode, self.rdev, dir_fd=directory)
            # As asked, whatever the umask was; nothing follows a link that took the place.
            fd = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
            try:
                os.chmod(f"/proc/self/fd/{fd}", stat.S_IMODE(self.mode))
                if self.uid or self.gid:
                    os.chown(f"/proc/self/fd/{fd}", self.uid, self.gid)
            finally:
                os.close(fd)
        except (PermissionError, FileExistsError):
            if not stat.S_ISFIFO(self.mode):
                DeviceNode(self.guest_path, self.guest_path, self.rdev).apply(root_fd)
        finally:
            os.close(directory)
