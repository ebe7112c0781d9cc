"""Unpacking a layer's tar stream, which may be hostile, into a directory of its own.

Every name is resolved under the directory: its parents with openat2(RESOLVE_IN_ROOT), its last component never followed.
Whiteouts become what overlayfs wants. Runs in the session: makes files of all subordinate ids. One thread extracts;
another reads and hashes (tarsource.Source).

Fast because most entries cost four system calls: names in one directory share its descriptor, and mode, owner and times
are only set where creating the file did not set them already.
"""

from __future__ import annotations

import errno
import os
import stat
from typing import NamedTuple

from rootless.errors import Corrupt, RootlessError
from rootless.storage.layers.attributes import Attributes
from rootless.storage.layers.directory_cache import PATH, WHITEOUT, Parents
from rootless.storage.layers.entry_names import clean, explained
from rootless.storage.layers.whiteouts import Whiteouts
from rootless.storage.remove_tree import remove_tree_at
from rootless.storage.tar.header import TarEntry
from rootless.storage.tar.reader import entries
from rootless.storage.tar.source import TarSource

_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class Limits(NamedTuple):
    """What one layer may take; 0 bytes = what the file system has free less one part in fifty."""

    total_bytes: int = 0
    entries: int = 4_000_000


class Extracted(NamedTuple):
    """What came out; `notes` counts what could not be kept, by reason."""

    digest: str
    entries: int
    size: int
    opaque_root: bool
    owners: dict[str, tuple[int, int]]
    notes: dict[str, int]
    many_ids: bool  # whether any file is for the kernel another's than root's


class Extractor:
    """State of one extraction into the empty directory `root_fd` (stays the caller's)."""

    def __init__(self, root_fd: int, *, limits: Limits, whiteouts: bool = True) -> None:
        self._root = root_fd
        self._parents = Parents(root_fd)
        self._whiteouts = Whiteouts(self._parents)
        self._obey_whiteouts = whiteouts
        self._known = self._parents.known
        self._times: dict[str, int] = {}
        self._entries = 0
        self._bytes = 0
        self._limits = limits
        space = os.fstatvfs(root_fd)
        self._max_bytes = limits.total_bytes or space.f_bavail * space.f_frsize * 49 // 50
        self._skipped: set[str] = set()
        self._attributes = Attributes()
        self._owner = self._attributes.owner
        self._xattrs = self._attributes.set_xattrs

    def run(self, source: TarSource) -> None:
        """Extract all of `source`. Corrupt, RootlessError (limits) or OSError; the rest is then garbage."""
        old = os.umask(0)
        try:
            for entry in entries(source):
                self._entries += 1
                self._bytes += entry.size
                if self._bytes > self._max_bytes or self._entries + self._parents.made > self._limits.entries:
                    self._too_big()
                try:
                    self._extract(entry, source)
                except OSError as error:
                    raise explained(error, entry, self._root) from error
            self._whiteouts.remove_aufs_links(self._root, self._attributes.owners)
            self._finish_times()
        finally:
            os.umask(old)
            self._parents.close()

    def outcome(self, digest: str) -> Extracted:
        """What came out of the stream that had `digest`."""
        kept = self._attributes
        opaque = self._whiteouts.opaque_root
        return Extracted(digest, self._entries, self._bytes, opaque, kept.owners, kept.notes, kept.many_ids)

    def _too_big(self) -> None:
        if self._entries + self._parents.made > self._limits.entries:
            raise RootlessError(f"the layer has more than {self._limits.entries} entries")
        raise RootlessError(
            f"the layer is larger than the {self._max_bytes >> 20} MiB there is room for",
            hint="free space (`rootless system prune`) or move ROOTLESS_ROOT to a larger file system",
        )

    # -- one entry ---------------------------------------------------------------------------

    def _extract(self, entry: TarEntry, source: TarSource) -> None:
        path = clean(entry.name)
        if not path:
            if entry.type != b"5":
                raise Corrupt(f"the layer's top is to become something else: {entry.name!r}")
            self._directory(entry, "", self._root)
            return
        directory, _, name = path.rpartition("/")
        if WHITEOUT in path and self._obey_whiteouts and self._whiteouts.takes(directory, name):
            source.skip(entry.size + -entry.size % 512)
            return
        known = self._known.get(directory)
        parent, setgid = known if known is not None else self._parents.open(directory)
        kind = entry.type
        if kind == b"0":
            self._file(entry, source, parent, name, path, setgid)
        elif kind == b"5":
            self._make_directory(entry, parent, name, path, setgid)
        elif kind == b"2":
            self._symlink(entry, parent, name, path, setgid)
        elif kind == b"1":
            self._hard_link(entry, name, path)
        elif kind == b"6":
            self._fifo(entry, parent, name, path, setgid)
        elif kind in (b"3", b"4"):
            self._skipped.add(path)
            self._attributes.note("device nodes left out")
        else:
            self._attributes.note("entries of unknown type left out")
            source.skip(entry.size + -entry.size % 512)

    def _file(self, entry: TarEntry, source: TarSource, parent: int, name: str, path: str, setgid: bool) -> None:
        mode = entry.mode
        try:
            fd = os.open(name, _CREATE, mode, dir_fd=parent)
        except FileExistsError:
            self._clear(parent, name, path)
            fd = os.open(name, _CREATE, mode, dir_fd=parent)
        try:
            if entry.sparse is not None:
                self._sparse(fd, entry, source)
            elif size := entry.size:
                data = source.whole(size)
                if data is not None:
                    if os.write(fd, data) != size:
                        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                else:
                    for piece in source.pieces(size):
                        while piece:
                            piece = piece[os.write(fd, piece) :]
                    source.skip(-size % 512)
            owned = entry.uid or entry.gid or setgid
            if owned:
                os.fchown(fd, *self._owner(entry, path))
            if mode & 0o6000 or (owned and mode & 0o7000):
                os.fchmod(fd, mode)  # writing and chown(2) both drop these bits
            if entry.xattrs:
                self._xattrs(fd, entry.xattrs)
            if owned:
                self._attributes.keep_owner(fd, path, mode)
            os.utime(fd, ns=(entry.mtime_ns, entry.mtime_ns))
        finally:
            os.close(fd)

    def _sparse(self, fd: int, entry: TarEntry, source: TarSource) -> None:
        os.ftruncate(fd, entry.real_size)
        for offset, length in entry.sparse or ():
            os.lseek(fd, offset, os.SEEK_SET)
            for piece in source.pieces(length):
                while piece:
                    piece = piece[os.write(fd, piece) :]
        source.skip(-entry.size % 512)

    def _make_directory(self, entry: TarEntry, parent: int, name: str, path: str, setgid: bool) -> None:
        try:
            os.mkdir(name, entry.mode & 0o777, dir_fd=parent)
            fresh = True
        except FileExistsError:
            fresh = False
            if not stat.S_ISDIR(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode):
                was_whiteout = self._clear(parent, name, path)
                os.mkdir(name, entry.mode & 0o777, dir_fd=parent)
                if was_whiteout:
                    self._whiteouts.set_opaque(path)
        plain = fresh and not (entry.mode & 0o7000 or entry.uid or entry.gid or setgid or entry.xattrs)
        if plain and path not in self._known:
            self._parents.remember(path, os.open(name, PATH | os.O_NOFOLLOW, dir_fd=parent), False)
            self._times[path] = entry.mtime_ns
            return
        fd = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
        try:
            self._directory(entry, path, fd)
        finally:
            os.close(fd)

    def _directory(self, entry: TarEntry, path: str, fd: int) -> None:
        """Owner, mode and the rest of a directory that is there."""
        os.fchown(fd, *self._owner(entry, path))
        os.fchmod(fd, entry.mode)
        self._xattrs(fd, entry.xattrs or {})
        self._attributes.keep_owner(fd, path, entry.mode)
        self._times[path] = entry.mtime_ns
        # What is created below depends on its set-group-ID bit: look again.
        self._parents.forget(path)

    def _symlink(self, entry: TarEntry, parent: int, name: str, path: str, setgid: bool) -> None:
        if not entry.link:
            raise Corrupt(f"the layer has a symbolic link to nothing: {entry.name!r}")
        try:
            os.symlink(entry.link, name, dir_fd=parent)
        except FileExistsError:
            self._clear(parent, name, path)
            os.symlink(entry.link, name, dir_fd=parent)
        self._settle(entry, parent, name, path, setgid)

    def _hard_link(self, entry: TarEntry, name: str, path: str) -> None:
        target = clean(entry.link)
        if target == path:
            return
        if target in self._skipped:
            self._skipped.add(path)
            self._attributes.note("device nodes left out")
            return
        directory, _, target_name = target.rpartition("/")
        try:
            for attempt in (0, 1):
                # Opening the one may close the other, whose place it takes; not a second time.
                source, _ = self._parents.open(directory, create=False)
                parent, _ = self._parents.open(path.rpartition("/")[0])
                source, _ = self._parents.open(directory, create=False)
                try:
                    os.link(target_name, name, src_dir_fd=source, dst_dir_fd=parent, follow_symlinks=False)
                    if target in self._attributes.owners:
                        self._attributes.owners[path] = self._attributes.owners[target]
                    return
                except FileExistsError:
                    if attempt:
                        raise
                    self._clear(parent, name, path)
        except (FileNotFoundError, NotADirectoryError):
            raise Corrupt(f"the layer has a hard link to what is not in it: {entry.name!r}") from None
        except PermissionError:
            raise Corrupt(f"the layer has a hard link to a directory: {entry.name!r}") from None

    def _fifo(self, entry: TarEntry, parent: int, name: str, path: str, setgid: bool) -> None:
        try:
            os.mkfifo(name, entry.mode, dir_fd=parent)
        except FileExistsError:
            self._clear(parent, name, path)
            os.mkfifo(name, entry.mode, dir_fd=parent)
        self._settle(entry, parent, name, path, setgid)

    def _settle(self, entry: TarEntry, parent: int, name: str, path: str, setgid: bool) -> None:
        """Owner and time of what has no descriptor to set them by."""
        if entry.uid or entry.gid or setgid:
            os.chown(name, *self._owner(entry, path), dir_fd=parent, follow_symlinks=False)
        os.utime(name, ns=(entry.mtime_ns, entry.mtime_ns), dir_fd=parent, follow_symlinks=False)

    def _finish_times(self) -> None:
        # Deepest first would not matter: setting times does not change the parent's.
        for path, when in self._times.items():
            try:
                if not path:
                    os.utime(self._root, ns=(when, when))
                    continue
                directory, _, name = path.rpartition("/")
                parent, _ = self._parents.open(directory, create=False)
                os.utime(name, ns=(when, when), dir_fd=parent, follow_symlinks=False)
            except (FileNotFoundError, NotADirectoryError):
                continue

    def _clear(self, parent: int, name: str, path: str) -> bool:
        """Make room for another entry of that name; whether a whiteout stood there."""
        status = os.stat(name, dir_fd=parent, follow_symlinks=False)
        self._attributes.owners.pop(path, None)
        if not stat.S_ISDIR(status.st_mode):
            os.unlink(name, dir_fd=parent)
            if not stat.S_ISLNK(status.st_mode):
                return stat.S_ISCHR(status.st_mode)
            # Descriptors found through the link are no longer what their names say.
            self._parents.forget_all_but(parent)
            return False
        self._parents.forget_all_but(parent)
        self._times.pop(path, None)
        failures = remove_tree_at(parent, name)
        if failures:
            raise OSError(errno.ENOTEMPTY, failures[0])
        return False


def extract(source: TarSource, root_fd: int, *, limits: Limits | None = None) -> Extracted:
    """Extract `source` into the empty directory `root_fd`; see Extractor. Verifies nothing by itself."""
    extractor = Extractor(root_fd, limits=limits or Limits())
    extractor.run(source)
    return extractor.outcome("sha256:" + source.digest())
