"""What is at a path of a container's or a volume's: a directory's names with what stat(2) says of each, or a file's bytes.

    look(place, path)       # a document for the API
    open_file(place, path)  # a descriptor of a plain file

Links are followed below the place's root, as the container would; those that are listed are not. Names are bytes to the kernel: one
that is no UTF-8 is shown with replacement characters, and no path of the API's leads to it. Wants the session joined.
"""

from __future__ import annotations

import errno
import itertools
import os
import stat
from typing import Any

from rootless.engine.files.copy_end import CopyEnd
from rootless.engine.files.entry import kernels
from rootless.engine.options import clock
from rootless.errors import InvalidInput, NotSupported
from rootless.storage.layers.recorded import Reader

MOST_ENTRIES = 5000
"""Names of a directory that are listed; of more the document says that there are more."""
_KINDS = {
    stat.S_IFREG: "file", stat.S_IFDIR: "directory", stat.S_IFLNK: "link", stat.S_IFIFO: "fifo", stat.S_IFSOCK: "socket",
    stat.S_IFBLK: "device", stat.S_IFCHR: "device",
}  # fmt: skip


def clean(path: str) -> str:
    """The path from the root on, without `.`, `..` and doubled slashes; InvalidInput for one with a zero byte."""
    if "\0" in path:
        raise InvalidInput("a path has no zero byte")
    return os.path.normpath("/" + path.lstrip("/"))


def look(place: CopyEnd, path: str) -> dict[str, Any]:
    """{"Path", "Entry": what it is itself, "Entries": what is in a directory, by name, None for anything else, "More": whether
    there are more than MOST_ENTRIES}. An entry: Name, Type, Size in bytes, Mode as `ls -l` has it, Uid and Gid as the container has
    them, Modified (RFC 3339), Target of a link, Named: whether a path of the API's can name it. NotFound."""
    path, owners = clean(path), Reader(place.links)
    fd = _open(place, path, os.O_PATH)
    try:
        found = os.fstat(fd)
        itself = _entry(os.path.basename(path) or "/", found, owners.owner(fd, found), place)
    finally:
        os.close(fd)
    if not stat.S_ISDIR(found.st_mode):
        return {"Path": path, "Entry": itself, "Entries": None, "More": False}
    fd = _open(place, path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with os.scandir(fd) as names:
            some = [each.name for each in itertools.islice(names, MOST_ENTRIES + 1)]
        entries = [_named(fd, name, place, owners) for name in sorted(some[:MOST_ENTRIES])]
    finally:
        os.close(fd)
    return {"Path": path, "Entry": itself, "Entries": [each for each in entries if each], "More": len(some) > MOST_ENTRIES}


def open_file(place: CopyEnd, path: str) -> int:
    """The plain file at `path`, to be read; the caller's. NotFound; NotSupported for what is none: a device, a FIFO, a file of the
    kernel's, whose reading may wait for ever or do something."""
    path = clean(path)
    looked = _open(place, path, os.O_PATH)
    try:
        plain = stat.S_ISREG(os.fstat(looked).st_mode) and not kernels(looked)
    finally:
        os.close(looked)
    fd = _open(place, path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY) if plain else -1
    if fd >= 0 and stat.S_ISREG(os.fstat(fd).st_mode) and not kernels(fd):
        return fd
    if fd >= 0:
        os.close(fd)
    raise NotSupported(f"{path} is no file that can be taken away", hint="a directory is taken as an archive, /proc is read inside")


def _open(place: CopyEnd, path: str, flags: int) -> int:
    try:
        return place.open(path, flags)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR):
            raise place.missing(path) from None
        if error.errno in (errno.ELOOP, errno.ENAMETOOLONG):
            raise InvalidInput(f"{path}: {error.strerror}") from None
        raise


def _named(directory: int, name: str, place: CopyEnd, owners: Reader) -> dict[str, Any] | None:
    try:
        found = os.stat(name, dir_fd=directory, follow_symlinks=False)
        target = os.readlink(name, dir_fd=directory) if stat.S_ISLNK(found.st_mode) else ""
    except OSError:
        return None  # it has gone since, or is another one already
    return _entry(name, found, owners.owner_by_name(directory, name, found), place, target)


def _entry(name: str, found: os.stat_result, owner: tuple[int, int], place: CopyEnd, target: str = "") -> dict[str, Any]:
    uid, gid = place.out_of(*owner) if place.out_of else owner
    shown = _text(name)
    return {
        "Name": shown, "Type": _KINDS.get(stat.S_IFMT(found.st_mode), "?"), "Size": found.st_size,
        "Mode": stat.filemode(found.st_mode), "Uid": uid, "Gid": gid, "Modified": clock.from_nanoseconds(found.st_mtime_ns),
        "Target": _text(target), "Named": shown == name,
    }  # fmt: skip


def _text(name: str) -> str:
    return os.fsencode(name).decode("utf-8", "replace")
