"""`cp` from and to `-`: one file or tree as a tar stream."""

from __future__ import annotations

import io
import os
import stat
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO

from rootless.engine.files.tree import Entry
from rootless.storage.extract import Extractor, Limits
from rootless.storage.store import Store, make_directory
from rootless.storage.tarsource import Source
from rootless.storage.tree import remove_tree

Shown = Callable[[int, int], "tuple[int, int]"]


def write(origin: Entry, name: str, out: IO[bytes], shown: Shown | None = None) -> None:
    """Write `origin` and what is below it as `name`; sockets are left out, as tar(1) does. `shown`: the owner
    to write, of the owner that stat(2) tells."""
    with tarfile.open(fileobj=out, mode="w|", format=tarfile.PAX_FORMAT) as archive:
        _add(archive, origin, name, shown)


def _add(archive: tarfile.TarFile, entry: Entry, name: str, shown: Shown | None) -> None:
    status = entry.stat()
    if status is None or stat.S_ISSOCK(status.st_mode):
        return
    info = tarfile.TarInfo(name)
    info.mode = stat.S_IMODE(status.st_mode)
    info.uid, info.gid, info.mtime = status.st_uid, status.st_gid, int(status.st_mtime)
    if shown is not None:
        info.uid, info.gid = shown(info.uid, info.gid)
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    if stat.S_ISLNK(status.st_mode):
        info.type, info.linkname = tarfile.SYMTYPE, os.readlink(entry.name, dir_fd=entry.directory)
        archive.addfile(info)
    elif stat.S_ISDIR(status.st_mode):
        info.type = tarfile.DIRTYPE
        archive.addfile(info)
        inside = os.open(entry.name, flags | os.O_DIRECTORY, dir_fd=entry.directory)
        try:
            for child in sorted(os.listdir(inside)):
                _add(archive, Entry(inside, child), f"{name}/{child}", shown)
        finally:
            os.close(inside)
    elif stat.S_ISREG(status.st_mode):
        fd = os.open(entry.name, flags, dir_fd=entry.directory)
        with os.fdopen(fd, "rb") as file:
            info.size = os.fstat(fd).st_size
            archive.addfile(info, _Exactly(file, info.size))
    elif stat.S_ISFIFO(status.st_mode):
        info.type = tarfile.FIFOTYPE
        archive.addfile(info)


class _Exactly(io.RawIOBase):
    """`size` bytes of a file that may shrink or grow meanwhile: cut, or filled with zeros (as GNU tar)."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file = file
        self._left = size

    def read(self, size: int = -1) -> bytes:
        wanted = self._left if size < 0 else min(size, self._left)
        data = self._file.read(wanted) if wanted else b""
        data += bytes(wanted - len(data))
        self._left -= len(data)
        return data


@contextmanager
def unpacked(store: Store, stream: IO[bytes]) -> Iterator[int]:
    """The tar stream unpacked into a private directory, as a descriptor; deleted at the end."""
    place = f"{store.root}/tmp"
    make_directory(place)
    directory = f"{place}/cp-{os.getpid()}-{os.urandom(4).hex()}"
    os.mkdir(directory, 0o700)
    try:
        fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        source = Source(stream)
        try:
            Extractor(fd, limits=Limits(), whiteouts=False).run(source)
            yield fd
        finally:
            source.close()
            os.close(fd)
    finally:
        remove_tree(directory)
