"""The members of an image archive, looked up by name: a tar file or a directory.

Nothing is extracted: a member is a range of the archive. Names are hostile: absolute ones,
`..`, links that lead outside or in circles and doubles are refused by name.
"""

from __future__ import annotations

import os
import posixpath
import tarfile
from typing import IO, Protocol

from rootless.errors import Corrupt, NotFound
from rootless.image import decompress
from rootless.linux.openat2 import RESOLVE_BENEATH, RESOLVE_NO_SYMLINKS, openat2

_MEMBERS_LIMIT = 200_000
_LINKS_LIMIT = 8
_BLOCK_BYTES = 1 << 20


class ArchiveFiles(Protocol):
    """Read access by name; both kinds are used by load.py alike."""

    def has(self, name: str) -> bool: ...
    def size(self, name: str) -> int: ...
    def open(self, name: str) -> decompress.ByteSource: ...


class Range:
    """Bytes `start` to `start + size` of a file, by pread: any number of these share a descriptor."""

    def __init__(self, descriptor: int, start: int, size: int) -> None:
        self._descriptor = descriptor
        self._position = start
        self._end = start + size

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes, b"" at the end."""
        data = os.pread(self._descriptor, min(size, self._end - self._position), self._position)
        self._position += len(data)
        return data


class TarFiles:
    """An uncompressed, seekable tar archive; `file` stays the caller's and open."""

    def __init__(self, file: IO[bytes]) -> None:
        self._descriptor = file.fileno()
        self._files: dict[str, tuple[int, int]] = {}
        self._links: dict[str, str] = {}
        try:
            with tarfile.open(fileobj=file, mode="r:") as tar:
                for number, member in enumerate(tar):
                    if number > _MEMBERS_LIMIT:
                        raise Corrupt(f"the archive has more than {_MEMBERS_LIMIT} members")
                    self._add(member)
        except (tarfile.TarError, EOFError, ValueError) as error:
            raise Corrupt(
                f"this is no image archive: {error}", hint="an image file, a squashfs or SIF, is run as it is: rootless run ./FILE COMMAND"
            ) from None

    def _add(self, member: tarfile.TarInfo) -> None:
        name = _clean(member.name)
        if member.isdir():
            return
        if name in self._files or name in self._links:
            raise Corrupt(f"the archive has {name!r} twice")
        if member.issym():
            self._links[name] = _clean(posixpath.join(posixpath.dirname(name), member.linkname))
        elif member.islnk():
            self._links[name] = _clean(member.linkname)
        elif member.isreg() and not member.issparse():
            self._files[name] = (member.offset_data, member.size)
        else:
            raise Corrupt(f"the archive has {name!r}, which is neither a file nor a link")

    def has(self, name: str) -> bool:
        """Whether there is a file of that name, or a link to one."""
        return self._find(name) is not None

    def size(self, name: str) -> int:
        """In bytes; NotFound."""
        return self._required(name)[1]

    def open(self, name: str) -> decompress.ByteSource:
        """The member's bytes; NotFound."""
        start, size = self._required(name)
        return Range(self._descriptor, start, size)

    def _required(self, name: str) -> tuple[int, int]:
        found = self._find(name)
        if found is None:
            raise NotFound(f"the archive has no {name!r}")
        return found

    def _find(self, name: str) -> tuple[int, int] | None:
        name = _clean(name)
        for _ in range(_LINKS_LIMIT):
            if name not in self._links:
                return self._files.get(name)
            name = self._links[name]
        raise Corrupt(f"the archive's links lead in circles at {name!r}")


class DirectoryFiles:
    """An unpacked OCI layout. A context manager."""

    def __init__(self, path: str) -> None:
        self._directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def __enter__(self) -> DirectoryFiles:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._directory)

    def has(self, name: str) -> bool:
        """Whether there is a file of that name inside, reached over no link."""
        try:
            os.close(self._open(name))
        except NotFound:
            return False
        return True

    def size(self, name: str) -> int:
        """In bytes; NotFound."""
        descriptor = self._open(name)
        try:
            return os.fstat(descriptor).st_size
        finally:
            os.close(descriptor)

    def open(self, name: str) -> decompress.ByteSource:
        """The file's bytes; NotFound."""
        return os.fdopen(self._open(name), "rb")

    def _open(self, name: str) -> int:
        how = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS
        flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK
        try:
            return openat2(self._directory, _clean(name), flags, resolve=how)
        except OSError as error:
            raise NotFound(f"the directory has no {name!r}: {error.strerror}") from None


def read(files: ArchiveFiles, name: str, limit_bytes: int) -> bytes:
    """All of a small member. Corrupt past the limit."""
    if files.size(name) > limit_bytes:
        raise Corrupt(f"{name!r} in the archive is larger than {limit_bytes} bytes")
    source, parts = files.open(name), []
    while part := source.read(_BLOCK_BYTES):
        parts.append(part)
    return b"".join(parts)


def _clean(name: str) -> str:
    """`./a//b` as `a/b`; whatever could mean a place outside raises Corrupt."""
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if name.startswith("/") or "\0" in name or len(name) > 4096:
        raise Corrupt(f"the archive has the improper name {name[:100]!r}")
    kept: list[str] = []
    for part in parts:
        if part != "..":
            kept.append(part)
        elif kept:
            kept.pop()
        else:
            raise Corrupt(f"the archive has the name {name[:100]!r}, which leads outside")
    return "/".join(kept)
