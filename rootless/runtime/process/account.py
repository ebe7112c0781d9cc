"""A line in /etc/passwd and one in /etc/group for a user the image does not know, written at a start.

With keep-id the command runs as the caller, and ssh, sudo, git and Python's getpass want to know who that is.
Written into the container's own layer, as Podman does, also of a read-only one, which is not read-only yet; the
image's files stay as they are. Both are untrusted: a link leads to a file of the container, what is mounted there is left
alone, and so is what is no regular file or too large.
"""

from __future__ import annotations

import os
import stat

from rootless.linux.openat2 import RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS, RESOLVE_NO_XDEV, openat2
from rootless.record import Record
from rootless.runtime.process.passwd import LIMIT_BYTES


class Account(Record):
    """The user to be known; nothing depends on it, so what cannot be written is left."""

    uid: int
    gid: int
    name: str
    home: str

    def describe(self) -> str:
        return f"make user {self.uid} known"

    def apply(self, root_fd: int) -> None:
        """Append what is missing. A name that another user of the image has becomes the number."""
        home = "/" if ":" in self.home or "\n" in self.home else self.home
        for path, number, rest in (
            ("etc/passwd", self.uid, f":*:{self.uid}:{self.gid}:{self.name}:{home}:/bin/sh\n"),
            ("etc/group", self.gid, f":x:{self.gid}:\n"),
        ):
            try:
                self._append(root_fd, path, number, rest)
            except OSError:
                continue

    def _append(self, root_fd: int, path: str, number: int, rest: str) -> None:
        flags = os.O_RDWR | os.O_APPEND | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
        fd = openat2(root_fd, path, flags, 0, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV)
        try:
            status = os.fstat(fd)
            if not stat.S_ISREG(status.st_mode) or status.st_size > LIMIT_BYTES:
                return
            text = os.read(fd, LIMIT_BYTES).decode("utf-8", "surrogateescape")
            entries = [line.split(":") for line in text.split("\n")]
            if any(len(entry) > 2 and entry[2] == str(number) for entry in entries):
                return
            taken = any(entry[0] == self.name for entry in entries)
            line = (str(number) if taken else self.name) + rest
            os.write(fd, (("" if text.endswith("\n") or not text else "\n") + line).encode("utf-8", "surrogateescape"))
        finally:
            os.close(fd)
