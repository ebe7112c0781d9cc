"""Files by which a program finds out that it is in a container, written into the root at a start.

Real files of the container's own layer, as Docker's /.dockerenv is: two mounts would cost more, and would
have to be made in what the user mounts there. Hot path.
"""

from __future__ import annotations

import os

from rootless.linux.openat2 import RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS, RESOLVE_NO_XDEV, openat2
from rootless.record import Record

NOTES = "io.rootless.notes"
"""In our OCI configurations: the fields of each Note that is written."""


class Note(Record):
    """One such file. Where its directory is not there, or is another file system (the host's, bound, or a
    volume) and not `own`, there is none; nor where it cannot be written: nothing depends on it."""

    guest_path: str
    text: str
    own: bool = False

    def describe(self) -> str:
        return f"write {self.guest_path}"

    def apply(self, root_fd: int) -> None:
        parent, _, name = self.guest_path.rpartition("/")
        resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | (0 if self.own else RESOLVE_NO_XDEV)
        try:
            directory = openat2(root_fd, parent.lstrip("/") or ".", os.O_PATH | os.O_DIRECTORY, 0, resolve)
        except OSError:
            return
        try:
            self._write(directory, name)
        except OSError:
            pass
        finally:
            os.close(directory)

    def _write(self, directory: int, name: str) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            fd = os.open(name, flags, 0o644, dir_fd=directory)
        except FileExistsError:  # of the start before, or the image's, which may be a link
            if not self.text:
                return
            os.unlink(name, dir_fd=directory)
            fd = os.open(name, flags, 0o644, dir_fd=directory)
        try:
            os.write(fd, self.text.encode())
        finally:
            os.close(fd)
