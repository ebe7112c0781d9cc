"""ADD of an archive: what one is, told by its content, and what is in it written below the destination.

The archive is a stranger's: names are resolved below the destination by the kernel, sizes are bounded by the
free space (storage/layers/extract.py).
"""

from __future__ import annotations

import os
from typing import NamedTuple

from rootless.build.copy.entries import WHITEOUT, LeftOut
from rootless.errors import Corrupt, RootlessError
from rootless.image import decompress
from rootless.storage.layers.entry_names import clean
from rootless.storage.layers.extract import Extractor, Limits
from rootless.storage.tar.header import TarEntry, checked_size
from rootless.storage.tar.source import BLOCK, TarSource


class Unpacked(NamedTuple):
    """What came out. `owners`: below the destination, of files whose owners have no id here."""

    entries: int
    bytes: int
    owners: dict[str, tuple[int, int]]


def is_archive(fd: int) -> bool:
    """Whether the file begins as a tar archive does, plain or compressed by gzip, bzip2, xz or zstd."""
    head = b""
    try:
        stream = decompress.open_stream(_FromStart(fd), what="the archive")
        while len(head) < BLOCK and (more := stream.read(BLOCK - len(head))):
            head += more
    except Corrupt:
        return False
    return is_header(head)


def is_header(head: bytes) -> bool:
    """Whether these are a tar header's bytes."""
    if len(head) < BLOCK or not head.strip(b"\0"):
        return False
    try:
        checked_size(head[:BLOCK])
    except Corrupt:
        return False
    return True


def unpack(
    fd: int, directory: int, *, name: str, left_out: LeftOut, owner: tuple[int, int] | None = None, limits: Limits | None = None
) -> Unpacked:
    """Unpack the archive `fd` below the open `directory`, over what is there. `owner`: of all of it, else the archive's.

    Corrupt and RootlessError name the archive.
    """
    source = TarSource(decompress.open_stream(_FromStart(fd), what=name))
    extractor = _Unpacker(directory, limits or Limits(), owner, left_out)
    try:
        extractor.run(source)
        done = extractor.outcome("")
    except Corrupt as error:
        raise Corrupt(f"cannot unpack {name!r}: {error.message}", hint=error.hint) from None
    except RootlessError as error:
        raise RootlessError(f"cannot unpack {name!r}: {error.message}", hint=error.hint) from None
    finally:
        source.close()
    for why, count in done.notes.items():
        left_out.add(f"{why} ({count})", name)
    return Unpacked(done.entries, done.size, done.owners)


class _Unpacker(Extractor):
    """The archive's top is the destination, which keeps its owner and mode; a whiteout's name is no file's."""

    def __init__(
        self, directory: int, limits: Limits, owner: tuple[int, int] | None, left_out: LeftOut
    ) -> None:
        super().__init__(directory, limits=limits, whiteouts=False)
        self._wanted_owner = owner
        self._left_out = left_out

    def _extract(self, entry: TarEntry, source: TarSource) -> None:
        path = clean(entry.name)
        hidden = WHITEOUT in path and any(part.startswith(WHITEOUT) for part in path.split("/"))
        if hidden:
            self._left_out.add("left out, as a name that begins with .wh. is a deletion in an image", path)
        if hidden or (not path and entry.type == b"5"):
            source.skip(entry.size + -entry.size % BLOCK)
            return
        if self._wanted_owner is not None:
            entry = entry._replace(uid=self._wanted_owner[0], gid=self._wanted_owner[1])
        super()._extract(entry, source)


class _FromStart:
    """The whole of an open file, wherever its offset is."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._position = 0

    def read(self, size: int, /) -> bytes:
        data = os.pread(self._fd, size, self._position)
        self._position += len(data)
        return data
