"""Streams packed: gzip by all processors, zstd, or nothing.

The same in gives the same out on any number of processors: gzip is cut into blocks of a fixed size, each packed
by itself with the block before as its dictionary, and joined to one deflate stream. By ISA-L where it is
installed, up to the level it has. Starts threads, so only in a process that does not fork any more, and only
for more than one block.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Protocol

import zstandard

from rootless.errors import InvalidInput

try:
    from isal import isal_zlib
except ImportError:  # an architecture without wheels
    _HAVE_ISAL = False
else:
    _HAVE_ISAL = True

FORMATS = ("gzip", "zstd", "uncompressed")
_BLOCK_BYTES = 1 << 20
_WINDOW_BYTES = 32 << 10
_LEVEL_ISAL, _LEVEL_ZLIB, _LEVEL_ZSTD = 2, 4, 3
_MOST_ISAL = 2  # zlib's own levels pack better from 3 on
_THREADS = max(1, min(4, os.cpu_count() or 1))
# No name, no time, an unknown system: nothing in it depends on where it was made.
_GZIP_HEADER = b"\x1f\x8b\x08\0\0\0\0\0\0\xff"

Out = Callable[[bytes], object]


class Compressor(Protocol):
    """Takes the plain bytes; `finish` writes what is left. What comes out goes to the `Out` it was made with."""

    def write(self, data: bytes, /) -> object: ...
    def finish(self) -> None: ...


def compressor(form: str, out: Out, *, level: int | None = None) -> Compressor:
    """What packs as `form` (one of FORMATS) says; `level` None is a quick one. InvalidInput for a level it has not."""
    most = {"gzip": 9, "zstd": 20, "uncompressed": 99}[form]
    if level is not None and not 0 <= level <= most:
        raise InvalidInput(f"invalid compression level {level} for {form}", hint=f"from 0 to {most}")
    if form == "gzip":
        return _Gzip(out, level)
    if form == "zstd":
        return _Zstd(out, level)
    return _Plain(out)


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
        packer = zstandard.ZstdCompressor(level=_LEVEL_ZSTD if level is None else level, threads=_THREADS)
        self._packer = packer.compressobj()

    def write(self, data: bytes, /) -> None:
        packed = self._packer.compress(data)
        if packed:
            self._out(packed)

    def finish(self) -> None:
        self._out(self._packer.flush())


class _Gzip:
    def __init__(self, out: Out, level: int | None) -> None:
        self._out = out
        self._level = level
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
        block = bytes(self._block)
        self._count(block)
        while self._packing:
            self._out(self._packing.popleft().result())
        self._out(_pack(block, self._window, self._level, last=True))
        self._out(struct.pack("<II", self._checksum, self._size & 0xFFFFFFFF))
        if self._pool is not None:
            self._pool.shutdown()

    def _hand_over(self) -> None:
        block = bytes(self._block)
        self._block.clear()
        self._count(block)
        if self._pool is None:
            self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="gzip")
        while len(self._packing) >= 2 * _THREADS:
            self._out(self._packing.popleft().result())
        self._packing.append(self._pool.submit(_pack, block, self._window, self._level, last=False))
        self._window = block[-_WINDOW_BYTES:]

    def _count(self, block: bytes) -> None:
        self._checksum = (isal_zlib.crc32 if _HAVE_ISAL else zlib.crc32)(block, self._checksum)
        self._size += len(block)


def _pack(block: bytes, window: bytes, level: int | None, *, last: bool) -> bytes:
    """A piece of a raw deflate stream that ends at a byte."""
    module: Any = zlib
    if _HAVE_ISAL and (level is None or 1 <= level <= _MOST_ISAL):
        module = isal_zlib
    chosen = (_LEVEL_ISAL if module is not zlib else _LEVEL_ZLIB) if level is None else level
    dictionary = {"zdict": window} if window else {}
    packer = module.compressobj(chosen, module.DEFLATED, -15, **dictionary)
    packed: bytes = packer.compress(block)
    return packed + bytes(packer.flush(module.Z_FINISH if last else module.Z_SYNC_FLUSH))
