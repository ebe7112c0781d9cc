"""`cp` from and to `-`: one file or tree as a tar stream."""

from __future__ import annotations

import io
import os
import stat
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, NamedTuple

from rootless.engine.files.entry import FILE, FileEntry, identity, kernels, left_out, read_kernels
from rootless.errors import Corrupt, RootlessError
from rootless.image import decompress
from rootless.linux.rlimit import many_descriptors
from rootless.storage import staging
from rootless.storage.copy_data import kept_attributes
from rootless.storage.layers import recorded
from rootless.storage.layers.extract import Extractor, Limits
from rootless.storage.owner_file import LinkOwners
from rootless.storage.store import Store
from rootless.storage.tar.header import TarEntry as Member
from rootless.storage.tar.source import TarSource

Shown = Callable[[int, int], "tuple[int, int]"]


def write(
    origin: FileEntry, name: str, out: IO[bytes],
    *, shown: Shown | None = None, top: tuple[int, int] | None = None, links: LinkOwners | None = None,
) -> list[str]:  # fmt: skip
    """Write `origin` and what is below it as `name`; sockets are left out, as tar(1) does. `shown`: the owner
    to write, of the owner that stat(2) tells; `top` and `links` as in copy_tree.Policy. What was left out, a line each."""
    with tarfile.open(fileobj=out, mode="w|", format=tarfile.PAX_FORMAT) as archive, many_descriptors():
        return _StreamWriter(archive, shown, top, links or LinkOwners({})).run(origin, name)


class _Level(NamedTuple):
    """A directory that is being written; the descriptor is ours."""

    inside: int
    names: Iterator[str]
    path: str


class _StreamWriter:
    def __init__(self, archive: tarfile.TarFile, shown: Shown | None, top: tuple[int, int] | None, links: LinkOwners) -> None:
        self._owners = recorded.Reader(links)
        self._archive = archive
        self._shown = shown
        self._top = top
        self._levels: list[_Level] = []
        self._warnings: list[str] = []
        self._links: dict[tuple[int, int], str] = {}

    def run(self, origin: FileEntry, name: str) -> list[str]:
        try:
            self._add(origin, name)
            while self._levels:
                level = self._levels[-1]
                for child in level.names:
                    self._add(FileEntry(level.inside, child), f"{level.path.rstrip('/')}/{child}")
                    break
                else:
                    os.close(self._levels.pop().inside)
        finally:
            for level in self._levels:
                os.close(level.inside)
        return self._warnings

    def _add(self, entry: FileEntry, path: str) -> None:
        status = entry.stat()
        if status is None or stat.S_ISSOCK(status.st_mode):
            return
        info = tarfile.TarInfo(path)
        info.mode = stat.S_IMODE(status.st_mode)
        info.uid, info.gid = self._owners.owner_by_name(entry.directory, entry.name, status)
        info.mtime = int(status.st_mtime)
        if self._shown is not None:
            info.uid, info.gid = self._shown(info.uid, info.gid)
        if stat.S_ISLNK(status.st_mode):
            info.type, info.linkname = tarfile.SYMTYPE, os.readlink(entry.name, dir_fd=entry.directory)
            self._archive.addfile(info)
        elif stat.S_ISDIR(status.st_mode):
            info.type = tarfile.DIRTYPE
            self._archive.addfile(info)
            self._enter(entry, path)
        elif stat.S_ISREG(status.st_mode):
            first = self._links.setdefault(identity(status), path) if status.st_nlink > 1 else path
            if first != path:
                info.type, info.linkname = tarfile.LNKTYPE, first
                self._archive.addfile(info)
            else:
                self._file(entry, info)
        elif stat.S_ISFIFO(status.st_mode):
            info.type = tarfile.FIFOTYPE
            self._archive.addfile(info)

    def _enter(self, entry: FileEntry, path: str) -> None:
        inside = entry.open_directory()
        try:
            why = left_out(inside, entry.name, entry.directory, self._top)
            names = [] if why else sorted(os.listdir(inside))
        except BaseException:
            os.close(inside)
            raise
        if why:
            self._warnings.append(f"{path}: {why}")
        self._levels.append(_Level(inside, iter(names), path))

    def _file(self, entry: FileEntry, info: tarfile.TarInfo) -> None:
        fd = os.open(entry.name, FILE, dir_fd=entry.directory)
        with os.fdopen(fd, "rb") as file:
            info.size = os.fstat(fd).st_size
            info.pax_headers = {
                f"SCHILY.xattr.{name}": value.decode("utf-8", "surrogateescape")
                for name, value in kept_attributes(fd, capabilities=True)
            }
            if not info.size and kernels(fd):
                data = read_kernels(fd)
                info.size = len(data)
                self._archive.addfile(info, io.BytesIO(data))
            else:
                self._archive.addfile(info, _Exactly(file, info.size))


class _Exactly(io.RawIOBase):
    """`size` bytes of a file that may shrink or grow meanwhile: cut, or filled with zeros (as GNU tar)."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file = file
        self._left = size

    def read(self, size: int = -1) -> bytes:
        wanted = self._left if size < 0 else min(size, self._left)
        data = self._file.read(wanted) if wanted else b""
        data += bytes(wanted - len(data))
        self._left -= len(data)
        return data


class _WithoutSpecialBits(Extractor):
    """On the host set-user-id and set-group-id would lend our rights to others."""

    def _extract(self, entry: Member, source: TarSource) -> None:
        super()._extract(entry._replace(mode=entry.mode & 0o1777), source)


@contextmanager
def unpacked(store: Store, stream: IO[bytes], *, special_bits: bool = True) -> Iterator[int]:
    """The tar stream, plain or compressed, unpacked into a private directory, as a descriptor; deleted at the
    end. Corrupt for what is no archive, or a broken one. `special_bits` as in tree.Policy."""
    with staged(store, stream, special_bits=special_bits) as path:
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            yield fd
        finally:
            os.close(fd)


@contextmanager
def staged(store: Store, stream: IO[bytes], *, special_bits: bool = True) -> Iterator[str]:
    """The same as the directory's path in the store, which may be moved elsewhere meanwhile."""
    with staging.directory(store, "cp") as path:
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        source = TarSource(_Checked(decompress.open_stream(stream, what="the archive")), algorithm="")
        try:
            kind = Extractor if special_bits else _WithoutSpecialBits
            kind(fd, limits=Limits(), whiteouts=False).run(source)
        except RootlessError as error:
            of_layers, mark, rest = error.message.partition("the layer ")
            if of_layers or not mark:
                raise
            raise type(error)(f"the archive {rest}", hint=error.hint) from None
        finally:
            source.close()
            os.close(fd)
        yield path


class _Checked:
    """A stream whose beginning is a tar header's, or Corrupt: the words for a stream that is something else."""

    def __init__(self, stream: decompress.ByteSource) -> None:
        self._stream = stream
        self._head: bytes | None = None

    def read(self, size: int, /) -> bytes:
        if self._head is None:
            head = b""
            while len(head) < tarfile.BLOCKSIZE and (more := self._stream.read(size)):
                head += more
            _check_head(head[: tarfile.BLOCKSIZE])
            self._head = head
        if self._head:
            data, self._head = self._head[:size], self._head[size:]
            return data
        return self._stream.read(size)


def _check_head(head: bytes) -> None:
    if head.strip(b"\0"):
        try:
            tarfile.TarInfo.frombuf(head, "utf-8", "surrogateescape")
            return
        except tarfile.HeaderError:
            pass
    elif len(head) == tarfile.BLOCKSIZE:
        return  # an archive of nothing
    raise Corrupt(
        "invalid tar header: this is no archive",
        hint="a tar archive is expected, plain or compressed by gzip, bzip2, xz or zstd",
    )
