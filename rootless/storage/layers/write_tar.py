"""Writing trees as tar streams: a merged tree for `export`, an upper directory or a layer for
`commit` and `save`, with whiteouts in the tar's spelling and the owners the image really had.

Names sorted, so the same tree gives the same bytes. Wants the session joined.
"""

from __future__ import annotations

import errno
import os
import stat
import tarfile
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol

from rootless.linux.openat2 import RESOLVE_NO_XDEV, openat2
from rootless.linux.rlimit import many_descriptors
from rootless.runtime import owner_record
from rootless.storage.layers import layer_owners, layers
from rootless.storage.layers.attributes import list_with_bits
from rootless.storage.layers.file_times import FileTimes
from rootless.storage.layers.image_owners import ImageOwners, Whose
from rootless.storage.layers.whiteouts import is_opaque
from rootless.storage.owner_file import LinkOwners, Owners
from rootless.storage.store import Store

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_PRIVATE = ("user.overlay.", "user.fuseoverlayfs.", "trusted.overlay.", "security.selinux")
_KEPT = "user.rootless."
_LIST = _KEPT + "system.posix_acl_access"
_OWNER = "SCHILY.xattr." + owner_record.NAME
_BLOCK = 1 << 20


class Sink(Protocol):
    """Where the stream goes; a short write is the sink's to finish (io.BufferedWriter does)."""

    def write(self, data: bytes, /) -> object: ...


def write_tree(
    root_fd: int, out: Sink, *, owners: ImageOwners | None = None,
    shown: Callable[[int, int], tuple[int, int]] | None = None, times: FileTimes | None = None,
    links: LinkOwners | None = None,
) -> int:  # fmt: skip
    """The tree below the directory `root_fd` as a tar stream, its end mark included; of what is mounted
    in it, only where. `shown`: the owner to write, given the owner of stat(2). `links`: of the container whose tree it is; None:
    all that a file says of its owner is believed. How many files were not believed (Whose.doubted)."""
    writer = _Writer(out, owners, whiteouts=False, shown=shown, times=times, links=links)
    writer.run(root_fd)
    return writer.doubted


class LayerSize(NamedTuple):
    """How many entries a layer's tar has, and the bytes of its files. `many_ids`: any is for the kernel another's than root's."""

    entries: int
    size: int
    many_ids: bool


def write_layer(
    path: str, out: Sink, *, owners: Owners | ImageOwners | None = None, left_out: Container[str] = frozenset(),
    times: FileTimes | None = None, links: LinkOwners | None = None, shown: Callable[[int, int], tuple[int, int]] | None = None,
) -> LayerSize:  # fmt: skip
    """The upper directory or layer tree `path` as an OCI layer: whiteouts as .wh. files.

    `left_out`: paths, without a leading slash, that do not belong to it, with all that is below them. `owners`: of a layer
    by path, of a container's directory by its image. `shown`: as for write_tree.
    """
    fd = os.open(path, _DIRECTORY)
    try:
        writer = _Writer(out, owners, whiteouts=True, left_out=left_out, times=times, links=links or LinkOwners({}), shown=shown)
        writer.run(fd)
        return LayerSize(writer.entries, writer.size, writer.many_ids)
    finally:
        os.close(fd)


def write_changes(
    path: str, out: Sink, *, changed: Container[str], gone: Mapping[str, Sequence[str]],
    owners: ImageOwners, shown: Callable[[int, int], tuple[int, int]] | None, links: LinkOwners,
) -> None:  # fmt: skip
    """Some paths of the whole tree `path` as an OCI layer: those in `changed`, with the directories above them.

    `gone`: the names that a directory (as "etc/", the top as "") has lost.
    """
    fd = os.open(path, _DIRECTORY)
    try:
        _Writer(out, owners, whiteouts=False, shown=shown, changed=changed, gone=gone, links=links).run(fd)
    finally:
        os.close(fd)


def write_stored_layer(store: Store, diff_id: str, out: Sink) -> None:
    """A layer of the store whose blob is not there. The same bytes where we wrote them in the first place (a
    build, a commit); of a stranger's archive the same tree, but another digest."""
    write_layer(layers.path(store, diff_id), out, owners=layer_owners.read(layers.directory(store, diff_id)))


class _OpenDirectory(NamedTuple):
    """A directory being written. How deep a tree is costs descriptors, never the interpreter's stack."""

    fd: int
    path: str
    names: Iterator[str]


class _Writer:
    def __init__(
        self,
        out: Sink,
        owners: Owners | ImageOwners | None,
        *,
        whiteouts: bool,
        shown: Callable[[int, int], tuple[int, int]] | None = None,
        left_out: Container[str] = frozenset(),
        changed: Container[str] | None = None,
        gone: Mapping[str, Sequence[str]] | None = None,
        times: FileTimes | None = None,
        links: LinkOwners | None = None,
    ) -> None:
        self._times = times
        self._link_owners = links or LinkOwners({})
        self._whose = Whose(owners, links)
        self._out = out
        self._left_out = left_out
        self._changed = changed
        self._gone = gone or {}
        self._shown = shown
        self._whiteouts = whiteouts
        self._links: dict[tuple[int, int], tarfile.TarInfo] = {}
        self._open: list[_OpenDirectory] = []
        self.entries = self.size = 0
        self.many_ids = False

    @property
    def doubted(self) -> int:
        return self._whose.doubted

    def run(self, root_fd: int) -> None:
        try:
            with many_descriptors():
                # An O_PATH descriptor cannot be listed.
                self._enter(os.open(".", _DIRECTORY, dir_fd=root_fd), "")
                while self._open:
                    directory = self._open[-1]
                    for name in directory.names:
                        self._child(directory, name)
                        break
                    else:
                        os.close(self._open.pop().fd)
        finally:
            for directory in self._open:
                os.close(directory.fd)
        self._out.write(bytes(1024))

    def _enter(self, fd: int, path: str) -> None:
        """The directory `fd`, ours to close, with what is in it to come."""
        # What is gone in its place among the names, as it comes from a layer's tree: the bytes are the same.
        self._open.append(_OpenDirectory(fd, path, iter(sorted({*os.listdir(fd), *self._gone.get(path, ())}))))
        self._header(_info(path or "./", os.fstat(fd)), path.removesuffix("/"), _xattrs(fd))
        if self._whiteouts and is_opaque(fd):
            self._empty(f"{path}.wh..wh..opq")

    def _child(self, directory: _OpenDirectory, name: str) -> None:
        path = directory.path + name
        if name in self._gone.get(directory.path, ()):
            self._empty(f"{directory.path}.wh.{name}")
            return
        if path in self._left_out or (self._changed is not None and path not in self._changed):
            return
        if self._whiteouts and name in (".wh..wh..opq", ".wh..opq"):  # fuse-overlayfs makes both, the second as a whiteout
            return
        try:
            status = os.stat(name, dir_fd=directory.fd, follow_symlinks=False)
            self._one(directory.fd, name, path, status)
        except FileNotFoundError:
            pass  # a running container removed it

    def _one(self, fd: int, name: str, path: str, status: os.stat_result) -> None:
        mode = status.st_mode
        if stat.S_ISDIR(mode):
            try:
                inner = openat2(fd, name, _DIRECTORY, resolve=RESOLVE_NO_XDEV)
            except OSError as error:
                if error.errno != errno.EXDEV:
                    raise
                self._header(_info(path + "/", status), path, {})  # mounted: /proc, a volume
                return
            self._enter(inner, path + "/")
            return
        if stat.S_ISSOCK(mode):
            return  # has no meaning outside the running container, and tar no type for it
        if stat.S_ISCHR(mode) and status.st_rdev == 0:
            if self._whiteouts:
                above, slash, last = path.rpartition("/")
                self._empty(f"{above}{slash}.wh.{last}")
            return
        first = self._links.get((status.st_dev, status.st_ino)) if status.st_nlink > 1 else None
        info = _info(path, status)
        if first is not None:
            info.type, info.linkname, info.size = tarfile.LNKTYPE, first.name, 0
            self._header(info, path, {}, (first.uid, first.gid))
            return
        if status.st_nlink > 1:
            self._links[(status.st_dev, status.st_ino)] = info
        if stat.S_ISLNK(mode):
            info.linkname = os.readlink(name, dir_fd=fd)
            self._header(info, path, {}, self._link_owners.owner(name, fd, status))
        elif stat.S_ISREG(mode):
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
            try:
                source = openat2(fd, name, flags, resolve=RESOLVE_NO_XDEV)
            except OSError as error:
                if error.errno != errno.EXDEV:
                    raise
                info.size = 0  # mounted: /etc/hosts
                self._header(info, path, {})
                return
            try:
                self._header(info, path, _xattrs(source))
                self._contents(source, info.size)
            finally:
                os.close(source)
        else:
            self._header(info, path, {}, self._link_owners.owner(name, fd, status))

    def _contents(self, source: int, size: int) -> None:
        left = size
        self.size += size
        while left:
            data = os.read(source, min(_BLOCK, left))
            if not data:
                # It shrank under us; the header has promised.
                data = bytes(min(_BLOCK, left))
            self._out.write(data)
            left -= len(data)
        if size % 512:
            self._out.write(bytes(-size % 512))

    def _empty(self, path: str) -> None:
        info = tarfile.TarInfo(path)
        info.mode = 0o600
        self._header(info, path, {})

    def _header(self, info: tarfile.TarInfo, path: str, xattrs: dict[str, str], emulated: tuple[int, int] | None = None) -> None:
        self.entries += 1
        self.many_ids |= info.uid != 0 or info.gid != 0
        said = xattrs.pop(_OWNER, "")
        by_kernel = self._shown(info.uid, info.gid) if self._shown is not None else (info.uid, info.gid)
        info.uid, info.gid = emulated or self._whose.owner(info, path, said, by_kernel)
        if self._times is not None:
            self._times.apply(info)
        info.pax_headers = {**info.pax_headers, **xattrs}
        self._out.write(info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape"))


_TYPES = {
    stat.S_IFREG: tarfile.REGTYPE,
    stat.S_IFDIR: tarfile.DIRTYPE,
    stat.S_IFLNK: tarfile.SYMTYPE,
    stat.S_IFIFO: tarfile.FIFOTYPE,
    stat.S_IFCHR: tarfile.CHRTYPE,
    stat.S_IFBLK: tarfile.BLKTYPE,
}


def _info(path: str, status: os.stat_result) -> tarfile.TarInfo:
    info = tarfile.TarInfo(path)
    info.type = _TYPES[stat.S_IFMT(status.st_mode)]
    info.mode = stat.S_IMODE(status.st_mode)
    info.uid, info.gid = status.st_uid, status.st_gid
    info.size = status.st_size if stat.S_ISREG(status.st_mode) else 0
    info.mtime, nanoseconds = divmod(status.st_mtime_ns, 1_000_000_000)
    if nanoseconds and info.mtime >= 0:
        info.pax_headers = {"mtime": f"{info.mtime}.{nanoseconds:09d}"}
    if stat.S_ISCHR(status.st_mode) or stat.S_ISBLK(status.st_mode):
        info.devmajor, info.devminor = os.major(status.st_rdev), os.minor(status.st_rdev)
    return info


def _xattrs(fd: int) -> dict[str, str]:
    found = {}
    for name in (each for each in os.listxattr(fd) if not each.startswith(_PRIVATE)):
        data = os.getxattr(fd, name)
        if name == _LIST:
            data = list_with_bits(data, os.fstat(fd).st_mode)
        value = data.decode("utf-8", "surrogateescape")
        # What unpacking had to put aside goes back under its own name.
        found["SCHILY.xattr." + name.removeprefix(_KEPT)] = value
    return found
