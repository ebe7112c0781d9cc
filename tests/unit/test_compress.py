"""Packed streams: right for other readers, and the same whatever the pieces they were written in."""

from __future__ import annotations

import gzip
import importlib.util
import random
import shutil
import subprocess
import threading
import zlib
from typing import Any

import pytest
import zstandard

from rootless.errors import InvalidInput, RootlessError
from rootless.image import compress
from rootless.image.transfer import workers
from tests.need import need

BLOCK = 1 << 20
PLAIN = random.Random(1).randbytes(1 << 20) + b"all the same " * 200_000 + random.Random(2).randbytes(5)


def packed(form: str, data: bytes, *, level: int | None = None, piece: int = 1 << 18, portable: bool = False) -> bytes:
    out: list[bytes] = []
    packer = compress.compressor(form, out.append, level=level, portable=portable)
    for at in range(0, len(data), piece):
        packer.write(data[at : at + piece])
    packer.finish()
    return b"".join(out)


NOISE = random.Random(3).randbytes(2 * BLOCK + 5)
DATA = {"empty": b"", "one": b"a", "block": PLAIN[:BLOCK], "blocks": PLAIN, "noise": NOISE}


@pytest.mark.parametrize("level", [None, 0, 1, 2, 3, 6, 9])
@pytest.mark.parametrize("data", DATA.values(), ids=DATA.keys())
def test_gzip(data: bytes, level: int | None) -> None:
    result = packed("gzip", data, level=level)
    assert gzip.decompress(result) == data
    assert result[4:8] == bytes(4)  # no time
    # One member, one stream: readers that stop after the first member see it all.
    reader = zlib.decompressobj(wbits=31)
    assert reader.decompress(result) == data
    assert reader.eof
    assert not reader.unused_data


@pytest.mark.parametrize("form", ["gzip", "zstd"])
def test_the_same_in_the_same_out(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    result = packed(form, PLAIN)
    assert packed(form, PLAIN, piece=77_777) == result
    for threads in (1, 3, 16):
        monkeypatch.setattr(compress, "_THREADS", threads)
        monkeypatch.setattr(compress, "_THREADS_ZSTD", threads)
        assert packed(form, PLAIN) == result


@pytest.mark.parametrize("size", [BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK, 2 * BLOCK + (32 << 10) + 1])
@pytest.mark.parametrize("level", [None, 6])
def test_wherever_a_block_ends(size: int, level: int | None) -> None:
    data = (b"the same words again and again " * (size // 31 + 1))[:size]
    result = packed("gzip", data, level=level, piece=512)
    assert subprocess.run(["gzip", "-dc"], input=result, stdout=subprocess.PIPE, check=True).stdout == data
    if pigz := shutil.which("pigz"):
        assert subprocess.run([pigz, "-dc"], input=result, stdout=subprocess.PIPE, check=True).stdout == data


def test_a_block_finds_what_the_one_before_had() -> None:
    tail = random.Random(4).randbytes(30_000)
    again = packed("gzip", random.Random(5).randbytes(BLOCK - len(tail)) + tail + tail, level=6)
    assert len(again) < BLOCK + 2000


def test_of_noise_nothing_is_lost_and_of_what_repeats_nothing_is_kept() -> None:
    assert len(packed("gzip", NOISE, level=6)) < len(NOISE) + 1000
    # Noise that comes again within the window: only the probe's matches tell it from noise.
    repeated = random.Random(6).randbytes(30_000) * 70
    assert len(packed("gzip", repeated, level=6)) < len(repeated) // 20


def test_what_saves_a_little_is_packed_by_the_level_asked_for() -> None:
    # Six bits of eight: no string comes again, all is in the Huffman code.
    data = random.Random(7).randbytes(BLOCK + 1).translate(bytes(byte & 0x3F for byte in range(256)))
    assert abs(len(packed("gzip", data, level=6)) - len(zlib.compress(data, 6))) < len(data) // 100


def test_the_size_of_more_than_4_gib() -> None:
    assert compress._trailer(1, (1 << 32) + 5) == bytes([1, 0, 0, 0, 5, 0, 0, 0])


def test_an_error_in_a_thread_is_the_writers(monkeypatch: pytest.MonkeyPatch) -> None:
    deflate = compress._deflate

    def fails(*args: Any, **options: Any) -> bytes:
        if args[1][:1] == b"!":
            raise MemoryError("no room to pack it")
        return deflate(*args, **options)

    monkeypatch.setattr(compress, "_deflate", fails)
    out: list[bytes] = []
    packer = compress.compressor("gzip", out.append, level=1)
    before = threading.active_count()
    with pytest.raises(MemoryError, match="no room to pack it"):
        packer.write(NOISE[:BLOCK] + b"!" * BLOCK + bytes(40 * BLOCK))
    assert threading.active_count() == before
    # What came before the block is out, what came after it is not.
    assert len(out) == 2


def test_an_error_in_a_thread_of_a_worker_ends_the_work_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*args: Any, **options: Any) -> bytes:
        raise MemoryError("no room to pack it")

    monkeypatch.setattr(compress, "_deflate", fails)
    received: list[workers.Message] = []
    ended: list[int] = []
    jobs: workers.Jobs[int] = workers.Jobs(
        work=lambda _, send: send({"packed": len(packed("gzip", NOISE))}),
        received=lambda _, message: received.append(message),
        ended=ended.append,
        name=lambda number: f"layer {number}",
    )
    with pytest.raises(RootlessError, match="layer 1: no room to pack it"):
        workers.run([1], jobs, at_most=1)
    assert not received
    assert not ended


def test_no_more_blocks_wait_than_there_is_memory_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compress, "_THREADS", 2)
    out: list[bytes] = []
    packer = compress.compressor("gzip", out.append)
    for number in range(12):
        packer.write(bytes(BLOCK))
        assert number + 1 - (len(out) - 1) <= 2 * 2
    packer.finish()
    assert gzip.decompress(b"".join(out)) == bytes(12 * BLOCK)


def test_alone_it_starts_no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """And the same comes out."""
    shared = packed("gzip", PLAIN)
    monkeypatch.setattr(compress, "ThreadPoolExecutor", None)
    out: list[bytes] = []
    packer = compress.compressor("gzip", out.append, alone=True)
    packer.write(PLAIN)
    packer.finish()
    assert b"".join(out) == shared


def test_without_isal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compress, "_HAVE_ISAL", False)
    assert gzip.decompress(packed("gzip", PLAIN)) == PLAIN


def test_zstd_and_nothing() -> None:
    result = packed("zstd", PLAIN, level=1)
    assert zstandard.ZstdDecompressor().decompressobj().decompress(result) == PLAIN
    assert packed("uncompressed", PLAIN) == PLAIN


@pytest.mark.parametrize(("form", "level"), [("gzip", 10), ("gzip", -1), ("zstd", 30)])
def test_levels_there_are_not(form: str, level: int) -> None:
    with pytest.raises(InvalidInput, match="invalid compression level"):
        compress.compressor(form, lambda _: None, level=level)


def test_portable_gzip_is_the_original_zlibs_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever else this host has: no ISA-L, no zlib-ng, and none of their opinions on what can shrink."""
    found = {level: packed("gzip", PLAIN, level=level, portable=True) for level in (None, 1, 6)}
    monkeypatch.setattr(compress, "_HAVE_ISAL", False)
    monkeypatch.setattr(compress, "_SLOW", zlib)
    for level, result in found.items():
        assert gzip.decompress(result) == PLAIN
        assert packed("gzip", PLAIN, level=level) == result


def test_zlib_ng_makes_the_higher_levels(monkeypatch: pytest.MonkeyPatch) -> None:
    need(importlib.util.find_spec("zlib_ng"), "zlib-ng is not installed")
    result = packed("gzip", PLAIN, level=6)
    assert gzip.decompress(result) == PLAIN
    monkeypatch.setattr(compress, "_SLOW", zlib)
    assert packed("gzip", PLAIN, level=6) != result


def test_what_is_portable() -> None:
    assert compress.is_portable("uncompressed")
    assert not compress.is_portable("zstd")
    assert compress.is_portable("gzip") == ("ng" not in zlib.ZLIB_RUNTIME_VERSION)
