"""Device nodes and FIFOs that are made, for real root; a user namespace may only bind the host's. HOT."""

from __future__ import annotations

import os
import stat

from rootless.record import Record
from rootless.runtime.devices import Device
from rootless.runtime.resolve import mount_target


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
                Device(self.guest_path, self.guest_path, self.rdev).apply(root_fd)
        finally:
            os.close(directory)
