"""Archives as contexts and as sources of ADD: what one is, told by its content, and its files in a directory.

An archive is a stranger's: names are resolved below the directory by the kernel, sizes are bounded by the
free space (storage/layers/extract.py).
"""

from __future__ import annotations

import os
from typing import NamedTuple

from rootless.errors import Corrupt, RootlessError
from rootless.image import decompress
from rootless.image.decompress import ByteSource
from rootless.storage.layers.entry_names import clean
from rootless.storage.layers.extract import Extractor, Limits
from rootless.storage.tar.header import TarEntry, checked_size
from rootless.storage.tar.source import BLOCK, TarSource

WHITEOUT = ".wh."
A_DELETION = "left out, as a name that begins with .wh. is a deletion in an image"


class Unpacked(NamedTuple):
    """What came out. `owners`: {path: (uid, gid)} of files whose owners have no id here; `notes`: what was left out,
    counted by reason."""

    entries: int
    bytes: int
    owners: dict[str, tuple[int, int]]
    notes: dict[str, int]


def is_whiteout(path: str) -> bool:
    """Whether a name in the path is one that an image's layer deletes by."""
    return WHITEOUT in path and any(part.startswith(WHITEOUT) for part in path.split("/"))


def is_archive(fd: int) -> bool:
    """Whether the file begins as a tar archive does, plain or compressed by gzip, bzip2, xz or zstd."""
    head = b""
    try:
        stream = decompress.open_stream(FromStart(fd), what="the archive")
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
    stream: ByteSource, directory: int, *, name: str, owner: tuple[int, int] | None = None, limits: Limits | None = None
) -> Unpacked:
    """Unpack the archive, plain or compressed, below the open `directory`, over what is there; the directory itself
    stays as it is. `owner`: of all of it, else the archive's. Corrupt and RootlessError call the archive `name`.
    """
    source = TarSource(decompress.open_stream(stream, what="the archive"))
    extractor = _Unpacker(directory, limits or Limits(), owner)
    try:
        extractor.run(source)
        # To its end, where a compressed one says whether it is whole.
        done = extractor.outcome(source.digest())
    except Corrupt as error:
        raise Corrupt(f"cannot unpack {name}: {_words(error)}", hint=error.hint) from None
    except RootlessError as error:
        raise RootlessError(f"cannot unpack {name}: {_words(error)}", hint=error.hint) from None
    finally:
        source.close()
    notes = dict(done.notes)
    if extractor.deletions:
        notes[A_DELETION] = extractor.deletions
    return Unpacked(done.entries, done.size, done.owners, notes)


def _words(error: RootlessError) -> str:
    """What the extraction of layers says, of what is none."""
    return error.message.replace("the layer", "the archive", 1)


class _Unpacker(Extractor):
    """The archive's top is the directory, which keeps its owner and mode; a whiteout's name is no file's."""

    def __init__(self, directory: int, limits: Limits, owner: tuple[int, int] | None) -> None:
        super().__init__(directory, limits=limits, whiteouts=False)
        self._wanted_owner = owner
        self.deletions = 0

    def _extract(self, entry: TarEntry, source: TarSource) -> None:
        path = clean(entry.name)
        if is_whiteout(path):
            self.deletions += 1
        elif path or entry.type != b"5":
            if self._wanted_owner is not None:
                entry = entry._replace(uid=self._wanted_owner[0], gid=self._wanted_owner[1])
            super()._extract(entry, source)
            return
        source.skip(entry.size + -entry.size % BLOCK)


class FromStart:
    """The whole of an open file, wherever its offset is."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._position = 0

    def read(self, size: int, /) -> bytes:
        data = os.pread(self._fd, size, self._position)
        self._position += len(data)
        return data
