"""What an entry of a layer may be called, and what is said when the kernel refuses it."""

from __future__ import annotations

import errno
import os

from rootless.errors import DISK_ERRORS, Corrupt, RootlessError
from rootless.storage.tar.header import TarEntry


def clean(name: str) -> str:
    """The name relative to the root, without . and .. ; Corrupt where it leads out."""
    if name[:2] == "./":
        name = name[2:]
    if name[-1:] == "/":
        name = name[:-1]
    if name and name[0] != "/" and "//" not in name and "/." not in name and name[0] != ".":
        return name
    parts: list[str] = []
    for part in name.split("/"):
        if part in ("", "."):
            continue
        if part == "..":
            if not parts:
                raise Corrupt(f"the layer has a name that leads out of it: {name!r}")
            parts.pop()
        else:
            parts.append(part)
    return "/".join(parts)


def explained(error: OSError, entry: TarEntry, root: int) -> RootlessError:
    """What the user reads when the kernel refused an entry; `root` is the open directory that it was to be in."""
    where = f"cannot unpack {entry.name[:200]!r}"
    if error.errno in DISK_ERRORS:
        from rootless.storage import disk_errors

        return disk_errors.failed(where, error, os.readlink(f"/proc/self/fd/{root}"))
    if error.errno in (errno.ENAMETOOLONG, errno.ELOOP, errno.EXDEV, errno.EOVERFLOW):
        return Corrupt(f"{where}: {os.strerror(error.errno)}")
    return RootlessError(f"{where}: {error.strerror or error}")
