"""Reading a tar stream that a stranger wrote, fast: headers as tuples, contents as memoryviews.

Own parser: tarfile spends more on one header than the kernel on creating the file. Understands
ustar, pax (also global), GNU long names and links, base-256 numbers and the four kinds of sparse
file. What Go's archive/tar (Docker, containers/image) refuses is refused here: no two readers may
see different trees in one archive. Raises Corrupt only.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from rootless.errors import Corrupt
from rootless.storage.tarsource import BLOCK, Source

_ZEROS = bytes(BLOCK)
_PAX_LIMIT = 1 << 20
_NAME_LIMIT = 4096
_SPARSE_LIMIT = 1 << 44

Segment = tuple[int, int]  # offset and length of data in a sparse file


class Entry(NamedTuple):
    """One member. `name` and `link` are as written, surrogateescape'd; mtime in nanoseconds."""

    type: bytes  # "0" file, "1" hard link, "2" symlink, "3" "4" device, "5" directory, "6" FIFO
    name: str
    mode: int
    uid: int
    gid: int
    size: int  # bytes of data that follow in the stream
    mtime_ns: int
    link: str
    device: tuple[int, int]
    xattrs: dict[str, bytes] | None
    sparse: list[Segment] | None  # then `size` is the sum of the lengths
    real_size: int


def entries(source: Source) -> Iterator[Entry]:
    """The members in order. Of one with `size`, exactly that must be taken from `source`, with padding."""
    defaults: dict[str, bytes] = {}
    pax: dict[str, bytes] = {}
    long_name: bytes | None = None
    long_link: bytes | None = None
    while header := source.block():
        if header == _ZEROS:
            following = source.block()
            if following and following != _ZEROS:
                raise Corrupt("the archive has data after its end mark")
            return
        size = _check(header)
        kind = header[156:157]
        if kind in b"xgLKX":
            if size > _PAX_LIMIT:
                raise Corrupt(f"the archive has an extended header of {size} bytes")
            data = source.read(size)
            if kind == b"x" or kind == b"X":
                pax.update(_pax(data))
            elif kind == b"g":
                defaults.update(_pax(data))
            elif kind == b"L":
                long_name = data.rstrip(b"\0")
            elif kind == b"K":
                long_link = data.rstrip(b"\0")
            continue
        if kind == b"S":
            yield _old_sparse(source, header, size, long_name, defaults, pax)
            pax, long_name, long_link = {}, None, None
            continue
        if not pax and not defaults and long_name is None and long_link is None:
            name = header[:100].partition(b"\0")[0]
            if header[257:263] == b"ustar\0" and header[345]:
                name = header[345:500].partition(b"\0")[0] + b"/" + name
            yield _plain(kind, name, header, size)
            continue
        yield _extended(source, kind, header, size, long_name, long_link, {**defaults, **pax})
        pax, long_name, long_link = {}, None, None
    if pax or long_name is not None or long_link is not None:
        raise Corrupt("the archive ends in the middle of an entry")


def _check(header: bytes) -> int:
    """Verify the checksum; the size field."""
    expected = _number(header[148:156])
    actual = sum(header) - sum(header[148:156]) + 256
    if actual != expected:
        signed = actual - 256 * sum(1 for byte in header[:148] + header[156:] if byte > 127)
        if signed != expected:
            raise Corrupt("the archive has a damaged header")
    size = _number(header[124:136])
    if size < 0:
        raise Corrupt("the archive has an entry of negative size")
    return size


def _number(field: bytes) -> int:
    try:
        return int(field, 8) if field[-1:] != b"\0" else int(field.rstrip(b"\0 ") or b"0", 8)
    except ValueError:
        pass
    if field[0] & 0x80:
        value = int.from_bytes(field, "big") & ((1 << (8 * len(field) - 1)) - 1)
        if field[0] & 0x40:
            value -= 1 << (8 * len(field) - 1)
        if not -(1 << 63) <= value < 1 << 63:
            raise Corrupt("the archive has a number out of range")
        return value
    text = field.partition(b"\0")[0].strip()
    try:
        value = int(text or b"0", 8)
    except ValueError:
        raise Corrupt("the archive has a damaged number") from None
    if value < 0 or b"_" in text:
        raise Corrupt("the archive has a damaged number")
    return value


def _plain(kind: bytes, name: bytes, header: bytes, size: int) -> Entry:
    if size < 0:
        raise Corrupt("the archive has an entry of negative size")
    if kind in b"\x007":
        # Only before POSIX was a final slash what made a directory.
        kind = b"5" if kind == b"\0" and name.endswith(b"/") else b"0"
    device = (0, 0)
    if kind in b"34":
        device = (_number(header[329:337]), _number(header[337:345]))
    if kind in b"123456":
        # As Go and Python have it: these have no data, whatever the field says.
        size = 0
    return Entry(
        kind,
        name.decode("utf-8", "surrogateescape"),
        _number(header[100:108]) & 0o7777,
        _number(header[108:116]),
        _number(header[116:124]),
        size,
        _number(header[136:148]) * 1_000_000_000,
        header[157:257].partition(b"\0")[0].decode("utf-8", "surrogateescape") if kind in b"12" else "",
        device,
        None,
        None,
        size,
    )


def _extended(
    source: Source,
    kind: bytes,
    header: bytes,
    size: int,
    long_name: bytes | None,
    long_link: bytes | None,
    pax: dict[str, bytes],
) -> Entry:
    name = header[:100].partition(b"\0")[0]
    if header[257:263] == b"ustar\0" and header[345]:
        name = header[345:500].partition(b"\0")[0] + b"/" + name
    if long_name is not None:
        name = long_name
    name = pax.get("path", name)
    if "size" in pax:
        size = _decimal(pax["size"])
    entry = _plain(kind, name, header, size)
    link = pax.get("linkpath", long_link)
    entry = entry._replace(
        uid=_decimal(pax["uid"]) if "uid" in pax else entry.uid,
        gid=_decimal(pax["gid"]) if "gid" in pax else entry.gid,
        mtime_ns=_nanoseconds(pax["mtime"]) if "mtime" in pax else entry.mtime_ns,
        link=link.decode("utf-8", "surrogateescape") if link is not None and kind in b"12" else entry.link,
        xattrs={
            key[13:]: value for key, value in pax.items() if key.startswith("SCHILY.xattr.") and len(key) > 13
        }
        or None,
    )
    if any(key.startswith("GNU.sparse.") for key in pax):
        entry = _pax_sparse(source, entry, pax)
    if len(entry.name) > _NAME_LIMIT or len(entry.link) > _NAME_LIMIT:
        raise Corrupt(f"the archive has a name of {max(len(entry.name), len(entry.link))} bytes")
    return entry


def _pax(data: bytes) -> dict[str, bytes]:
    """The records of a pax header: "length key=value\\n". Duplicate keys: the last one counts."""
    found: dict[str, bytes] = {}
    position = 0
    numbers: list[bytes] = []
    while position < len(data):
        space = data.find(b" ", position, position + 20)
        digits = data[position:space] if space > 0 else b""
        if not digits.isdigit():
            if not data[position:].strip(b"\0"):
                break
            raise Corrupt("the archive has a damaged extended header")
        end = position + int(digits)
        key, equals, value = data[space + 1 : end - 1].partition(b"=")
        if end > len(data) or end <= space + 1 or data[end - 1 : end] != b"\n" or not equals or not key:
            raise Corrupt("the archive has a damaged extended header")
        text = key.decode("utf-8", "surrogateescape")
        if text in ("path", "linkpath") and b"\0" in value:
            raise Corrupt("the archive has a name with a NUL byte")
        if text in ("GNU.sparse.offset", "GNU.sparse.numbytes"):
            numbers.append(value)
        else:
            found[text] = value
        position = end
    if numbers:
        found["GNU.sparse.map"] = b",".join(numbers)
    return found


def _decimal(text: bytes) -> int:
    if not text.isdigit() or len(text) > 19:
        raise Corrupt("the archive has a damaged number in an extended header")
    return int(text)


def _nanoseconds(text: bytes) -> int:
    whole, _, fraction = text.partition(b".")
    negative = whole.startswith(b"-")
    digits = whole.lstrip(b"-")
    if not (digits + fraction).isdigit() or len(digits) > 18:
        raise Corrupt("the archive has a damaged time")
    value = int(digits or b"0") * 1_000_000_000 + int((fraction[:9] or b"0").ljust(9, b"0"))
    return -value if negative else value


def _pax_sparse(source: Source, entry: Entry, pax: dict[str, bytes]) -> Entry:
    size = entry.size
    name = pax.get("GNU.sparse.name")
    real = _decimal(pax.get("GNU.sparse.realsize", pax.get("GNU.sparse.size", b"0")))
    if (pax.get("GNU.sparse.major"), pax.get("GNU.sparse.minor")) == (b"1", b"0"):
        numbers, used = _sparse_map_from_data(source, size)
        size -= used
    elif "GNU.sparse.map" in pax:
        numbers = [_decimal(text) for text in pax["GNU.sparse.map"].split(b",") if text]
    else:
        return entry
    segments = _segments(numbers, size, real)
    if name is not None:
        entry = entry._replace(name=name.decode("utf-8", "surrogateescape"))
    return entry._replace(size=size, sparse=segments, real_size=real)


def _sparse_map_from_data(source: Source, size: int) -> tuple[list[int], int]:
    """Format 1.0: a count and pairs, one decimal number a line, padded to a block, before the data."""
    data = b""
    wanted = 1
    while True:
        lines = data.split(b"\n")
        if len(lines) > 1:
            wanted = 1 + 2 * _decimal(lines[0])
            if wanted > _PAX_LIMIT:
                raise Corrupt("the archive has a damaged sparse file")
        if len(lines) > wanted:
            return [_decimal(line) for line in lines[1:wanted]], len(data)
        if len(data) + BLOCK > size:
            raise Corrupt("the archive has a damaged sparse file")
        data += source.block()


def _segments(numbers: list[int], size: int, real: int) -> list[Segment]:
    segments = list(zip(numbers[::2], numbers[1::2], strict=False))
    end = 0
    for offset, length in segments:
        if offset < end or length < 0:
            raise Corrupt("the archive has a damaged sparse file")
        end = offset + length
    if len(numbers) % 2 or end > real or real > _SPARSE_LIMIT or sum(pair[1] for pair in segments) != size:
        raise Corrupt("the archive has a damaged sparse file")
    return [pair for pair in segments if pair[1]]


def _old_sparse(
    source: Source,
    header: bytes,
    size: int,
    long_name: bytes | None,
    defaults: dict[str, bytes],
    pax: dict[str, bytes],
) -> Entry:
    """GNU's first format: pairs in the header and in blocks behind it."""
    numbers: list[int] = []

    def take(field: bytes) -> None:
        for start in range(0, len(field), 24):
            if not field[start : start + 12].strip(b"\0 "):
                break
            numbers.extend((_number(field[start : start + 12]), _number(field[start + 12 : start + 24])))

    take(header[386:482])
    more, real = header[482], _number(header[483:495])
    while more:
        block = source.block()
        if not block:
            raise Corrupt("the archive ends in the middle of an entry")
        take(block[:504])
        more = block[504]
        if len(numbers) > _PAX_LIMIT:
            raise Corrupt("the archive has a damaged sparse file")
    entry = _extended(source, b"0", header[:345] + bytes(167), size, long_name, None, {**defaults, **pax})
    return entry._replace(sparse=_segments(numbers, entry.size, real), real_size=real)
