"""What comes to stand in /dev: links, the host's nodes bound, and nodes that are made, by real root alone. Hot path."""

from __future__ import annotations

import os
import stat

from rootless.errors import InvalidInput, NotSupported
from rootless.linux import mount as m
from rootless.record import TYPE_CHECKING, Record
from rootless.runtime.mounting import attach
from rootless.runtime.rootfs_path import mount_target

if TYPE_CHECKING:
    from collections.abc import Iterator


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
    """A device node of the host, bound: a user namespace cannot make nodes. Where the host has no node of that number (`rdev`,
    of `kind`) at the path, one that it has elsewhere in /dev: who gives a number need not know the host's name for it."""

    host_path: str
    guest_path: str
    rdev: int = 0
    kind: int = stat.S_IFCHR
    optional: bool = False

    def describe(self) -> str:
        return f"bind device {self.host_path} to {self.guest_path}"

    def apply(self, root_fd: int) -> None:
        fd = self._open()
        if fd < 0:
            return
        try:
            attach(fd, root_fd, self.guest_path, directory=stat.S_ISDIR(os.fstat(fd).st_mode))
        finally:
            os.close(fd)

    def _open(self) -> int:
        """A clone of the node's mount; -1: there is none, and that is no error."""
        for path in self._paths():
            try:
                fd = m.open_tree(m.AT_FDCWD, path, m.OPEN_TREE_CLONE)
            except FileNotFoundError:
                continue
            status = os.fstat(fd)
            if not self.rdev or (status.st_rdev, stat.S_IFMT(status.st_mode)) == (self.rdev, self.kind):
                return fd
            os.close(fd)
        if self.optional:
            return -1
        if self.rdev:
            what = "block" if self.kind == stat.S_IFBLK else "character"
            number = f"{os.major(self.rdev)}:{os.minor(self.rdev)}"
            raise NotSupported(f"device {self.guest_path}: this machine's /dev has no {what} device {number}")
        raise InvalidInput(
            f'error gathering device information while adding custom device "{self.host_path}": no such file or directory'
        )

    def _paths(self) -> Iterator[str]:
        yield self.host_path
        if not self.rdev:
            return
        for directory, directories, names in os.walk("/dev"):
            if directory == "/dev":  # what users make, and their terminals
                directories[:] = [name for name in directories if name not in ("mqueue", "pts", "shm")]
            for path in (f"{directory}/{name}" for name in names):
                try:
                    status = os.stat(path, follow_symlinks=False)
                except OSError:
                    continue
                if (status.st_rdev, stat.S_IFMT(status.st_mode)) == (self.rdev, self.kind):
                    yield path


class Node(Record):
    """A node of the container's own, so that what its root does to it is not done to the host's.
    Where the kernel does not let us make one, the host's is bound."""

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
                DeviceNode(self.guest_path, self.guest_path, self.rdev, stat.S_IFMT(self.mode)).apply(root_fd)
        finally:
            os.close(directory)
