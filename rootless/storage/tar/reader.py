"""Reading a tar stream that may be hostile, fast: headers as tuples, contents as memoryviews.

Own parser: tarfile spends more on one header than the kernel on creating the file. Understands
ustar, pax (also global), GNU long names and links, base-256 numbers and the four kinds of sparse
file. What Go's archive/tar (Docker, containers/image) refuses is refused here: no two readers may
see different trees in one archive. Raises Corrupt only.
"""

from __future__ import annotations

from collections.abc import Iterator

from rootless.errors import Corrupt
from rootless.storage.tar.header import TarEntry, checked_size, decimal, nanoseconds, pax_records, plain_entry
from rootless.storage.tar.source import BLOCK, TarSource
from rootless.storage.tar.sparse import old_map, pax_sparse, segments

_ZEROS = bytes(BLOCK)
_PAX_LIMIT = 1 << 20
_NAME_LIMIT = 4096


def entries(source: TarSource) -> Iterator[TarEntry]:
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
        size = checked_size(header)
        kind = header[156:157]
        if kind in b"xgLKX":
            if size > _PAX_LIMIT:
                raise Corrupt(f"the archive has an extended header of {size} bytes")
            data = source.read(size)
            if kind == b"x" or kind == b"X":
                pax.update(pax_records(data))
            elif kind == b"g":
                defaults.update(pax_records(data))
            elif kind == b"L":
                long_name = data.rstrip(b"\0")
            elif kind == b"K":
                long_link = data.rstrip(b"\0")
            continue
        if kind == b"S":
            numbers, real = old_map(source, header)
            header = header[:345] + bytes(167)  # where others have more of the name
            entry = _extended(source, b"0", header, size, long_name, None, {**defaults, **pax})
            yield entry._replace(sparse=segments(numbers, entry.size, real), real_size=real)
            pax, long_name, long_link = {}, None, None
            continue
        if not pax and not defaults and long_name is None and long_link is None:
            name = header[:100].partition(b"\0")[0]
            if header[257:263] == b"ustar\0" and header[345]:
                name = header[345:500].partition(b"\0")[0] + b"/" + name
            yield plain_entry(kind, name, header, size)
            continue
        yield _extended(source, kind, header, size, long_name, long_link, {**defaults, **pax})
        pax, long_name, long_link = {}, None, None
    if pax or long_name is not None or long_link is not None:
        raise Corrupt("the archive ends in the middle of an entry")


def _extended(
    source: TarSource,
    kind: bytes,
    header: bytes,
    size: int,
    long_name: bytes | None,
    long_link: bytes | None,
    pax: dict[str, bytes],
) -> TarEntry:
    """The member of a header that others before it add to."""
    name = header[:100].partition(b"\0")[0]
    if header[257:263] == b"ustar\0" and header[345]:
        name = header[345:500].partition(b"\0")[0] + b"/" + name
    if long_name is not None:
        name = long_name
    name = pax.get("path", name)
    if "size" in pax:
        size = decimal(pax["size"])
    entry = plain_entry(kind, name, header, size)
    link = pax.get("linkpath", long_link)
    entry = entry._replace(
        uid=decimal(pax["uid"]) if "uid" in pax else entry.uid,
        gid=decimal(pax["gid"]) if "gid" in pax else entry.gid,
        mtime_ns=nanoseconds(pax["mtime"]) if "mtime" in pax else entry.mtime_ns,
        link=link.decode("utf-8", "surrogateescape") if link is not None and kind in b"12" else entry.link,
        xattrs={
            key[13:]: value for key, value in pax.items() if key.startswith("SCHILY.xattr.") and len(key) > 13
        }
        or None,
    )
    if any(key.startswith("GNU.sparse.") for key in pax):
        entry = pax_sparse(source, entry, pax)
    if len(entry.name) > _NAME_LIMIT or len(entry.link) > _NAME_LIMIT:
        raise Corrupt(f"the archive has a name of {max(len(entry.name), len(entry.link))} bytes")
    return entry
