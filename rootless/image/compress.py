"""Streams packed: gzip by all processors, zstd, or nothing.

The same in gives the same out on any number of processors: gzip is cut into blocks of a fixed size, each packed
by itself with the block before as its dictionary, and joined to one deflate stream. By ISA-L where it is
installed, for the levels that it has (1 to 3); from 4 on by zlib-ng where that is installed, else by zlib, but for
blocks of which nothing can be saved. These libraries differ from host to host and, by processor, in what they make:
where the bytes have to be the same everywhere (`portable`), zlib makes them alone.
Starts threads, so only in a process that does not fork any more, and only for more than one block; `alone` starts none.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple, Protocol

import zstandard

from rootless.errors import InvalidInput

try:
    from isal import isal_zlib
except ImportError:  # an architecture without wheels
    _HAVE_ISAL = False
else:
    _HAVE_ISAL = True

try:
    from zlib_ng import zlib_ng
except ImportError:  # `pip install rootless[fast]`
    _SLOW: Any = zlib
else:
    _SLOW = zlib_ng

FORMATS = ("gzip", "zstd", "uncompressed")
_BLOCK_BYTES = 1 << 20
_WINDOW_BYTES = 32 << 10
_LEVEL_ISAL, _LEVEL_ZLIB, _LEVEL_ZSTD = 2, 4, 3
# ISA-L's levels give 1 to 3 % more bytes than zlib's of the same number, in a quarter of the time or less.
_MOST_ISAL = 3
_PROBE_ISAL = 1
# One for each processor that we may run on; 16 of the slowest level take all that one reader reads and hashes.
_THREADS = min(16, len(os.sched_getaffinity(0)))
# What is packed but not yet written, or waits to be, is at most so many blocks: what bounds our memory.
_AHEAD = 2
# Each holds several windows, and as many as these are quicker than the reader.
_THREADS_ZSTD = min(4, _THREADS)
# No name, no time, an unknown system: nothing in it depends on where it was made.
_GZIP_HEADER = b"\x1f\x8b\x08\0\0\0\0\0\0\xff"

Out = Callable[[bytes], object]


class _Way(NamedTuple):
    """How blocks are deflated; `probes`: whether those that cannot shrink are stored."""

    module: Any
    level: int
    probes: bool


class Compressor(Protocol):
    """Takes the plain bytes; `finish` writes what is left. What comes out goes to the `Out` it was made with."""

    def write(self, data: bytes, /) -> object: ...
    def finish(self) -> None: ...


def compressor(
    form: str, out: Out, *, level: int | None = None, portable: bool = False, alone: bool = False
) -> Compressor:
    """What packs as `form` (one of FORMATS) says; `level` None is a quick one. InvalidInput for a level it has not.

    gzip that is `portable` is the same on every host whose zlib is the original one; `is_portable` tells.
    `alone` starts no threads, for gzip in a process that goes on to fork or to join the session; the same comes out.
    """
    most = {"gzip": 9, "zstd": 20, "uncompressed": 99}[form]
    if level is not None and not 0 <= level <= most:
        raise InvalidInput(f"invalid compression level {level} for {form}", hint=f"from 0 to {most}")
    if form == "gzip":
        return _Gzip(out, _way(level, portable=portable), alone=alone)
    if form == "zstd":
        return _Zstd(out, level)
    return _Plain(out)


def is_portable(form: str) -> bool:
    """Whether what is packed as `portable` is the same elsewhere. zstd depends on its library's version; for zlib some
    distributions have zlib-ng or Cloudflare's, which make other bytes."""
    return form == "uncompressed" or (form == "gzip" and zlib.ZLIB_RUNTIME_VERSION.replace(".", "").isdigit())


class _Plain:
    def __init__(self, out: Out) -> None:
        self._out = out

    def write(self, data: bytes, /) -> None:
        self._out(data)

    def finish(self) -> None:
        pass


class _Zstd:
    def __init__(self, out: Out, level: int | None) -> None:
        self._out = out
        # One worker or many: from one on, the result is the same.
        chosen = _LEVEL_ZSTD if level is None else level
        packer = zstandard.ZstdCompressor(level=chosen, threads=_THREADS_ZSTD)
        self._packer = packer.compressobj()

    def write(self, data: bytes, /) -> None:
        packed = self._packer.compress(data)
        if packed:
            self._out(packed)

    def finish(self) -> None:
        self._out(self._packer.flush())


class _Gzip:
    def __init__(self, out: Out, way: _Way, *, alone: bool) -> None:
        self._out = out
        self._way = way
        self._alone = alone
        self._block = bytearray()
        self._window = b""
        self._checksum = 0
        self._size = 0
        self._pool: ThreadPoolExecutor | None = None
        self._packing: deque[Future[bytes]] = deque()
        out(_GZIP_HEADER)

    def write(self, data: bytes, /) -> None:
        view = memoryview(data)
        while view:
            room = _BLOCK_BYTES - len(self._block)
            self._block += view[:room]
            view = view[room:]
            if len(self._block) == _BLOCK_BYTES:
                self._hand_over()

    def finish(self) -> None:
        self._count(self._block)
        while self._packing:
            self._write_oldest()
        self._out(_pack(self._block, self._window, self._way, last=True))
        self._out(_trailer(self._checksum, self._size))
        if self._pool is not None:
            self._pool.shutdown()

    def _hand_over(self) -> None:
        block, self._block = self._block, bytearray()
        self._count(block)
        if self._alone:
            self._out(_pack(block, self._window, self._way, last=False))
            self._window = bytes(block[-_WINDOW_BYTES:])
            return
        if self._pool is None:
            self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="gzip")
        while len(self._packing) >= _AHEAD * _THREADS:
            self._write_oldest()
        self._packing.append(self._pool.submit(_pack, block, self._window, self._way, last=False))
        self._window = bytes(block[-_WINDOW_BYTES:])

    def _write_oldest(self) -> None:
        try:
            self._out(self._packing.popleft().result())
        except BaseException:
            # Nobody wants the other blocks any more; the threads end with what they are at.
            if self._pool is not None:
                self._pool.shutdown(cancel_futures=True)
            raise

    def _count(self, block: bytearray) -> None:
        self._checksum = (isal_zlib.crc32 if _HAVE_ISAL else zlib.crc32)(block, self._checksum)
        self._size += len(block)


def _trailer(checksum: int, size: int) -> bytes:
    """What ends a gzip member; of a size from 4 GiB on it has the low 32 bits (RFC 1952)."""
    return struct.pack("<II", checksum, size & 0xFFFFFFFF)


def _way(level: int | None, *, portable: bool) -> _Way:
    if portable or level == 0:
        return _Way(zlib, _LEVEL_ZLIB if level is None else level, False)
    if _HAVE_ISAL and (level is None or level <= _MOST_ISAL):
        return _Way(isal_zlib, _LEVEL_ISAL if level is None else level, False)
    return _Way(_SLOW, _LEVEL_ZLIB if level is None else level, _HAVE_ISAL)


def _pack(block: bytearray, window: bytes, way: _Way, *, last: bool) -> bytes:
    """A piece of a raw deflate stream that ends at a byte."""
    if way.probes and not last and not _saves(block, window):
        way = _Way(zlib, 0, False)
    return _deflate(way.module, block, window, way.level, last=last)


def _saves(block: bytearray, window: bytes) -> bool:
    """Whether deflate makes the block smaller. Of noise and of what is packed already zlib saves nothing, at the
    slowest pace it has; a tenth of that time finds out."""
    return len(_deflate(isal_zlib, block, window, _PROBE_ISAL, last=False)) < len(block)


def _deflate(module: Any, block: bytearray, window: bytes, level: int, *, last: bool) -> bytes:
    dictionary = {"zdict": window} if window else {}
    packer = module.compressobj(level, module.DEFLATED, -15, **dictionary)
    packed: bytes = packer.compress(block)
    return packed + bytes(packer.flush(module.Z_FINISH if last else module.Z_SYNC_FLUSH))
