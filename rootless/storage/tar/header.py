"""One header of a tar stream: its fields, and the records of the extended header (pax) before it.

The formats are those of pax(1) and of GNU tar. Raises Corrupt only.
"""

from __future__ import annotations

from typing import NamedTuple

from rootless.errors import Corrupt

Segment = tuple[int, int]  # offset and length of data in a sparse file


class TarEntry(NamedTuple):
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


def checked_size(header: bytes) -> int:
    """Verify the checksum; the size field."""
    expected = number(header[148:156])
    actual = sum(header) - sum(header[148:156]) + 256
    if actual != expected:
        signed = actual - 256 * sum(1 for byte in header[:148] + header[156:] if byte > 127)
        if signed != expected:
            raise Corrupt("the archive has a damaged header")
    size = number(header[124:136])
    if size < 0:
        raise Corrupt("the archive has an entry of negative size")
    return size


def number(field: bytes) -> int:
    """A number of a header: octal, or base 256 where the first bit says so."""
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


def plain_entry(kind: bytes, name: bytes, header: bytes, size: int) -> TarEntry:
    """The member that this header alone describes."""
    if size < 0:
        raise Corrupt("the archive has an entry of negative size")
    if kind in b"\x007":
        # Only before POSIX was a final slash what made a directory.
        kind = b"5" if kind == b"\0" and name.endswith(b"/") else b"0"
    device = (0, 0)
    if kind in b"34":
        device = (number(header[329:337]), number(header[337:345]))
    if kind in b"123456":
        # As Go and Python have it: these have no data, whatever the field says.
        size = 0
    return TarEntry(
        kind,
        name.decode("utf-8", "surrogateescape"),
        number(header[100:108]) & 0o7777,
        number(header[108:116]),
        number(header[116:124]),
        size,
        number(header[136:148]) * 1_000_000_000,
        header[157:257].partition(b"\0")[0].decode("utf-8", "surrogateescape") if kind in b"12" else "",
        device,
        None,
        None,
        size,
    )


def pax_records(data: bytes) -> dict[str, bytes]:
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


def decimal(text: bytes) -> int:
    """A number of a pax record; none is negative."""
    if not text.isdigit() or len(text) > 19:
        raise Corrupt("the archive has a damaged number in an extended header")
    return int(text)


def nanoseconds(text: bytes) -> int:
    """A time of a pax record, which is in seconds with a fraction."""
    whole, _, fraction = text.partition(b".")
    negative = whole.startswith(b"-")
    digits = whole.lstrip(b"-")
    if not (digits + fraction).isdigit() or len(digits) > 18:
        raise Corrupt("the archive has a damaged time")
    value = int(digits or b"0") * 1_000_000_000 + int((fraction[:9] or b"0").ljust(9, b"0"))
    return -value if negative else value
