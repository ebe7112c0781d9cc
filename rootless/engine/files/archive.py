"""A path of a container as a tar stream, in and out, and what stat(2) says of it: the API's archive endpoints.

    stat(store, identifier, path)                       # HEAD: Docker's PathStat
    with reading(store, identifier, path) as archive:   # GET: archive.stat, then archive.write(stream)
    put(store, identifier, path, stream)                # PUT: a tar stream, plain, gzip, bzip2, xz or zstd

Of containers that run, are stopped or have never been started. The session is joined here: the caller has one thread.
Errors as of `cp`: NotFound in Docker's words, Conflict where something is read-only, InvalidInput.
"""

from __future__ import annotations

import os
import stat as modes
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

from rootless.engine.files import copy, view
from rootless.engine.files.copy_end import CopyEnd
from rootless.engine.files.tar_stream import staged
from rootless.engine.options import clock
from rootless.engine.state import running
from rootless.engine.state.config import read_config
from rootless.engine.state.events import events
from rootless.errors import InvalidInput
from rootless.runtime.process.passwd import find_user
from rootless.storage.store import Store

# Go's os.FileMode, of which the low nine bits are stat(2)'s.
_GO_TYPES = {
    modes.S_IFDIR: 1 << 31, modes.S_IFLNK: 1 << 27, modes.S_IFBLK: 1 << 26, modes.S_IFIFO: 1 << 25, modes.S_IFSOCK: 1 << 24,
    modes.S_IFCHR: 1 << 26 | 1 << 21,
}  # fmt: skip
_GO_BITS = {modes.S_ISUID: 1 << 23, modes.S_ISGID: 1 << 22, modes.S_ISVTX: 1 << 20}


def go_mode(mode: int) -> int:
    """st_mode as Go's FileMode."""
    special = sum(bit for ours, bit in _GO_BITS.items() if mode & ours)
    return mode & 0o777 | _GO_TYPES.get(modes.S_IFMT(mode), 0) | special


class PathArchive:
    """A container's path that is about to be read. `stat` is Docker's PathStat: name, size in bytes, mode as Go's, mtime
    in RFC 3339, linkTarget: a path in the container, "" of what is no link."""

    def __init__(self, place: CopyEnd, path: str) -> None:
        self._place, self._path = place, path
        self.stat = _path_stat(place, path)

    def write(self, out: IO[bytes]) -> list[str]:
        """Write it as a tar stream, its names beginning with the path's last one; what was left out, a line each."""
        # Docker's clients replace the first name by theirs: of the root that is nothing, before a slash.
        name = "/" if self.stat["name"] == "/" else None
        return copy.write_tar(self._place, self._path, out, follow_link=False, name=name)


def stat(store: Store, identifier: str, path: str) -> dict[str, Any]:
    """PathArchive.stat of the path."""
    running.join_session(store, identifier)
    with view.reading(store, identifier) as place:
        place.called = identifier
        return _path_stat(place, _checked(path))


@contextmanager
def reading(store: Store, identifier: str, path: str) -> Iterator[PathArchive]:
    """The path, opened for reading once: by a client who may be slow, and keeps nobody from starting or removing the container.
    Writes the event archive-path."""
    running.join_session(store, identifier)
    record = read_config(store, identifier)
    with view.reading(store, identifier) as place:
        place.called = identifier
        yield PathArchive(place, _checked(path))
    events.container(store, "archive-path", record)


def put(
    store: Store, identifier: str, path: str, stream: IO[bytes], *, no_overwrite_dir_non_dir: bool = False, copy_uid_gid: bool = False
) -> list[str]:
    """Unpack a tar stream into the directory `path`, which is there; what was left out, a line each.

    Owners are those of the archive; with `copy_uid_gid` the user that the container runs as, as moby has it. A directory
    replaces a file of its name and the other way round, unless `no_overwrite_dir_non_dir`, which makes it a Conflict. All
    of the stream has been read when something is written. Writes the event extract-to-dir.
    """
    path = _checked(path)
    running.join_session(store, identifier)
    record = read_config(store, identifier)
    # To be read: for one that was written to the kernel would write the whole file system to the disk at the end.
    with view.reading(store, identifier) as place:
        place.called = identifier
        if not place.is_directory(path) and _path_stat(place, path):
            raise InvalidInput("extraction point is not a directory")
        copy.refuse_unwritable(place, path)
    # The container's lock is not held while a client sends, who may be slow.
    with staged(store, stream) as directory, view.receiving(store, identifier, directory) as (place, inside):
        place.called = identifier
        owner = None
        if copy_uid_gid and record["user"]:
            user = find_user(record["user"], root=place.root_fd)
            owner = user.uid, user.gid
        left_out = copy.put_contents(inside, place, path, owner=owner, replace=not no_overwrite_dir_non_dir)
    events.container(store, "extract-to-dir", record)
    return left_out


def _checked(path: str) -> str:
    if not path:
        raise InvalidInput("path cannot be empty")
    if "\0" in path:
        raise InvalidInput("a path has no zero byte")
    return path if path.startswith("/") else "/" + path


def _path_stat(place: CopyEnd, path: str) -> dict[str, Any]:
    plain = path.rstrip("/") or "/"
    directory = path != "/" and (path.endswith("/") or os.path.basename(path) == ".")
    wanted = place.resolved(plain.removesuffix("/.") or "/") if directory else path
    entry = place.entry(wanted, what=path)
    try:
        found = entry.stat()
        if found is None or (directory and not modes.S_ISDIR(found.st_mode)):
            raise place.missing(path)
        target = os.path.normpath(place.resolved(path)) if modes.S_ISLNK(found.st_mode) else ""
    finally:
        os.close(entry.directory)
    return {
        "name": os.path.basename(plain) or "/", "size": found.st_size, "mode": go_mode(found.st_mode),
        "mtime": clock.from_nanoseconds(found.st_mtime_ns), "linkTarget": target,
    }  # fmt: skip
