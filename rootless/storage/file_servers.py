"""File systems that a server keeps: which one a path is on, and what can be done where its server refuses."""

from __future__ import annotations

import errno
import os
from typing import NamedTuple

from rootless.errors import path_of

_SERVED = frozenset({"nfs", "nfs4", "cifs", "smb3", "lustre", "gpfs", "ceph", "afs", "beegfs", "panfs", "9p"})
"""Types of file systems that a server keeps, as mountinfo names them; those of FUSE are fuse.NAME."""


class MountedAt(NamedTuple):
    """A mount: where it is, the type of the file system, and what is mounted: of NFS server:/directory."""

    point: str
    kind: str
    source: str = ""

    def __str__(self) -> str:
        return f"{self.point} ({self.kind})"

    @property
    def served(self) -> str:
        """For people, where a server keeps it; "" for a local one. The server's address is in it, as far as mountinfo tells."""
        if self.kind in _SERVED:
            return f"{self.point} ({self.kind}, {self.source})"
        return str(self) if self.kind.startswith("fuse.") else ""


def refusing(error: OSError, path: str = "") -> str | None:
    """What can be done where a server refuses what is the user's own: an export that was withdrawn and a ticket that has expired
    are no stale handles, but EACCES. None where it is another error, or `error`, or else `path`, names nothing that a server keeps."""
    path = path_of(error) or path
    mount = mount_of(path) if path and error.errno in (errno.EACCES, errno.EPERM) else None
    if mount is None or not mount.served:
        return None
    return (
        f"the server of {mount.served} says so; where the directory is yours (`ls -ld`), `klist` shows whether a Kerberos ticket has "
        f"expired, else the administrator has to export it to this machine again, or to mount {mount.point} again"
    )


def mount_of(path: str, *, follow: bool = True) -> MountedAt | None:
    """The mount that `path` is on, by its name once links are followed: a file system without a server answers no other question, and
    one whose server hangs not even that (`follow` False). None where /proc does not tell."""
    path = os.path.realpath(path) if follow else os.path.normpath(path)
    best: MountedAt | None = None
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as lines:
            for line in lines:
                fields, _, rest = line.partition(" - ")
                point = _unescaped(fields.split(" ")[4])
                inside = path == point or path.startswith(point.rstrip("/") + "/")
                if inside and (best is None or len(point) >= len(best.point)):  # of two in one place the later is above
                    kind, source = rest.split(" ")[:2]
                    best = MountedAt(point, kind, _unescaped(source))
    except (OSError, ValueError, IndexError):
        return None
    return best


def _unescaped(text: str) -> str:
    """proc_pid_mountinfo(5): blank, tab, newline and backslash are octal numbers."""
    for escaped, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        text = text.replace(escaped, character)
    return text
