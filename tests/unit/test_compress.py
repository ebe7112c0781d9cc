"""Packed streams: right for other readers, and the same whatever the pieces they were written in."""

from __future__ import annotations

import gzip
import random
import zlib

import pytest
import zstandard

from rootless.errors import InvalidInput
from rootless.image import compress

PLAIN = random.Random(1).randbytes(1 << 20) + b"all the same " * 200_000 + random.Random(2).randbytes(5)


def packed(form: str, data: bytes, *, level: int | None = None, piece: int = 1 << 18) -> bytes:
    out: list[bytes] = []
    packer = compress.compressor(form, out.append, level=level)
    for at in range(0, len(data), piece):
        packer.write(data[at : at + piece])
    packer.finish()
    return b"".join(out)


@pytest.mark.parametrize("level", [None, 1, 2, 3, 6, 9])
@pytest.mark.parametrize("data", [b"", b"a", PLAIN[: 1 << 20], PLAIN], ids=["empty", "one", "block", "blocks"])
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
    monkeypatch.setattr(compress, "_THREADS", 3)
    assert packed(form, PLAIN) == result


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
