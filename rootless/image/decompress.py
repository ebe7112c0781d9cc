"""Compressed streams as plain ones: gzip, zstd, bzip2, xz or nothing, recognised by their first bytes.

gzip by ISA-L where it is installed: three times as fast as zlib. Output is bounded by what is
asked for, so a bomb costs time, never memory. Threads: one reader per stream.
"""

from __future__ import annotations

import bz2
import lzma
import zlib
from typing import IO, Protocol, cast

import zstandard

from rootless.errors import Corrupt

try:
    from isal import igzip_lib
except ImportError:  # an architecture without wheels
    _HAVE_ISAL = False
else:
    _HAVE_ISAL = True

_MAGIC_LENGTH = 6
# zstd's own limit for "--long=27"; image tools write far smaller windows.
_ZSTD_WINDOW_LIMIT_BYTES = 128 << 20
_XZ_MEMORY_LIMIT_BYTES = 512 << 20
_READ_BYTES = 256 << 10


_ERRORS: tuple[type[Exception], ...] = (OSError, ValueError, EOFError, zlib.error, lzma.LZMAError)
if _HAVE_ISAL:
    _ERRORS += (cast(type[Exception], igzip_lib.error),)


class ByteSource(Protocol):
    """Bytes to read: at most `size`, b"" at the end."""

    def read(self, size: int, /) -> bytes: ...


class _Decompressor(Protocol):
    """The stdlib's interface of bz2 and lzma objects."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int = ..., /) -> bytes: ...


def open_stream(source: ByteSource, *, what: str) -> ByteSource:
    """The decompressed stream of `source`; errors in it raise Corrupt naming `what`."""
    head = b""
    while len(head) < _MAGIC_LENGTH:
        more = source.read(_READ_BYTES)
        if not more:
            break
        head += more
    rejoined = _Rejoined(head, source)
    name = compression(head)
    if name == "":
        return rejoined
    if name == "zstd":
        return _Zstd(rejoined, what)
    return _Stream(rejoined, name, what)


def open_gzip(source: ByteSource, *, what: str) -> ByteSource:
    """The same of what is said to be gzip: anything else, nothing at all too, is Corrupt."""
    return _Stream(source, "gzip", what)


def compression(head: bytes) -> str:
    """ "gzip", "zstd", "bzip2", "xz" or "" for anything else."""
    if head.startswith(b"\x1f\x8b"):
        return "gzip"
    # 0x184D2A5? are skippable frames, which zstd:chunked may begin with.
    if head.startswith(b"\x28\xb5\x2f\xfd") or (head[1:4] == b"\x2a\x4d\x18" and head[0] & 0xF0 == 0x50):
        return "zstd"
    if head.startswith(b"BZh"):
        return "bzip2"
    return "xz" if head.startswith(b"\xfd7zXZ\0") else ""


class _Rejoined:
    """What was read to look at it, then the rest."""

    def __init__(self, head: bytes, source: ByteSource) -> None:
        self._head = head
        self._source = source

    def read(self, size: int, /) -> bytes:
        if not self._head:
            return self._source.read(size)
        data, self._head = self._head[:size], self._head[size:]
        return data


class _Zlib:
    """zlib in the interface of the others, where there is no ISA-L."""

    def __init__(self) -> None:
        self._object = zlib.decompressobj(31)

    @property
    def eof(self) -> bool:
        return self._object.eof

    @property
    def needs_input(self) -> bool:
        return not self._object.unconsumed_tail and not self._object.eof

    @property
    def unused_data(self) -> bytes:
        return self._object.unused_data

    def decompress(self, data: bytes, max_length: int = 0, /) -> bytes:
        return self._object.decompress(self._object.unconsumed_tail + data, max_length)


def _new(name: str) -> _Decompressor:
    if name == "gzip":
        if not _HAVE_ISAL:
            return _Zlib()
        gzip: _Decompressor = igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP)
        return gzip
    if name == "bzip2":
        return bz2.BZ2Decompressor()
    return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY_LIMIT_BYTES)


class _Stream:
    """gzip, bzip2 and xz: any number of members after each other, as pigz and pbzip2 write."""

    def __init__(self, source: ByteSource, name: str, what: str) -> None:
        self._source = source
        self._name = name
        self._what = what
        self._current = _new(name)
        self._begun = False
        self._ended = False

    def read(self, size: int, /) -> bytes:
        while not self._ended:
            data = b""
            if self._current.eof:
                data = self._between()
                if self._ended:
                    break
            elif self._current.needs_input:
                data = self._source.read(_READ_BYTES)
                if not data:
                    raise Corrupt(f"{self._what}: the {self._name} stream is cut short")
            try:
                plain = self._current.decompress(data, size)
            except _ERRORS as error:
                raise Corrupt(f"{self._what}: damaged {self._name} stream: {error}") from None
            if plain:
                return plain
        return b""

    def _between(self) -> bytes:
        """After one member: the start of the next, or the end (which may be padded with zeros)."""
        rest = self._current.unused_data.lstrip(b"\0")
        while len(rest) < _MAGIC_LENGTH:
            more = self._source.read(_READ_BYTES)
            if not more:
                break
            rest = (rest + more).lstrip(b"\0") if not rest else rest + more
        if not rest:
            self._ended = True
        elif compression(rest) != self._name:
            raise Corrupt(f"{self._what}: garbage after the {self._name} stream")
        else:
            self._current = _new(self._name)
        return rest


class _Zstd:
    """zstd: frames and skippable frames after each other."""

    def __init__(self, source: ByteSource, what: str) -> None:
        self._what = what
        unpacker = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW_LIMIT_BYTES)
        self._reader = unpacker.stream_reader(
            cast(IO[bytes], source), read_size=_READ_BYTES, read_across_frames=True
        )

    def read(self, size: int, /) -> bytes:
        try:
            return self._reader.read(size)
        except zstandard.ZstdError as error:
            raise Corrupt(f"{self._what}: damaged zstd stream: {error}") from None
