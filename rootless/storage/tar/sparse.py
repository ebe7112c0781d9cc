"""Sparse files in a tar stream: the maps of GNU's first format and of pax 0.0, 0.1 and 1.0."""

from __future__ import annotations

from rootless.errors import Corrupt
from rootless.storage.tar.header import Segment, TarEntry, decimal, number
from rootless.storage.tar.source import BLOCK, TarSource

_MAP_LIMIT = 1 << 20
_SIZE_LIMIT = 1 << 44


def pax_sparse(source: TarSource, entry: TarEntry, pax: dict[str, bytes]) -> TarEntry:
    """`entry` with the map of its GNU.sparse records, which for format 1.0 is taken from `source`."""
    size = entry.size
    name = pax.get("GNU.sparse.name")
    real = decimal(pax.get("GNU.sparse.realsize", pax.get("GNU.sparse.size", b"0")))
    if (pax.get("GNU.sparse.major"), pax.get("GNU.sparse.minor")) == (b"1", b"0"):
        numbers, used = _sparse_map_from_data(source, size)
        size -= used
    elif "GNU.sparse.map" in pax:
        numbers = [decimal(text) for text in pax["GNU.sparse.map"].split(b",") if text]
    else:
        return entry
    found = segments(numbers, size, real)
    if name is not None:
        entry = entry._replace(name=name.decode("utf-8", "surrogateescape"))
    return entry._replace(size=size, sparse=found, real_size=real)


def _sparse_map_from_data(source: TarSource, size: int) -> tuple[list[int], int]:
    """Format 1.0: a count and pairs, one decimal number a line, padded to a block, before the data."""
    data = b""
    wanted = 1
    while True:
        lines = data.split(b"\n")
        if len(lines) > 1:
            wanted = 1 + 2 * decimal(lines[0])
            if wanted > _MAP_LIMIT:
                raise Corrupt("the archive has a damaged sparse file")
        if len(lines) > wanted:
            return [decimal(line) for line in lines[1:wanted]], len(data)
        if len(data) + BLOCK > size:
            raise Corrupt("the archive has a damaged sparse file")
        data += source.block()


def segments(numbers: list[int], size: int, real: int) -> list[Segment]:
    """The pairs of a map, in order; `size` bytes of data in all, in a file of `real` bytes."""
    pairs = list(zip(numbers[::2], numbers[1::2], strict=False))
    end = 0
    for offset, length in pairs:
        if offset < end or length < 0:
            raise Corrupt("the archive has a damaged sparse file")
        end = offset + length
    if len(numbers) % 2 or end > real or real > _SIZE_LIMIT or sum(pair[1] for pair in pairs) != size:
        raise Corrupt("the archive has a damaged sparse file")
    return [pair for pair in pairs if pair[1]]


def old_map(source: TarSource, header: bytes) -> tuple[list[int], int]:
    """GNU's first format: pairs in the header and in blocks behind it; these, and the file's size."""
    numbers: list[int] = []

    def take(field: bytes) -> None:
        for start in range(0, len(field), 24):
            if not field[start : start + 12].strip(b"\0 "):
                break
            numbers.extend((number(field[start : start + 12]), number(field[start + 12 : start + 24])))

    take(header[386:482])
    more, real = header[482], number(header[483:495])
    while more:
        block = source.block()
        if not block:
            raise Corrupt("the archive ends in the middle of an entry")
        take(block[:504])
        more = block[504]
        if len(numbers) > _MAP_LIMIT:
            raise Corrupt("the archive has a damaged sparse file")
    return numbers, real
