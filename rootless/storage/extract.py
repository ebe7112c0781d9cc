"""Unpacking a layer's tar stream into a directory of its own, whoever wrote it.

Every name is resolved under the directory: its parents with openat2(RESOLVE_IN_ROOT), its last
component never followed. Whiteouts become what overlayfs wants. Runs in the session: makes files
of all subordinate ids. One thread extracts; another reads and hashes (tarstream.Source).

Fast because most entries cost four system calls: names in one directory share its descriptor,
and mode, owner and times are only set where creating the file did not set them already.
"""

from __future__ import annotations

import errno
import os
import stat
from typing import NamedTuple

from rootless.errors import Corrupt, RootlessError
from rootless.storage.entry_rules import Mapping, clean, explained
from rootless.storage.parents import OPAQUE_XATTR, PATH, WHITEOUT, Parents
from rootless.storage.tarsource import Source
from rootless.storage.tarstream import Entry, entries
from rootless.storage.tree import remove_tree_at

OPAQUE = ".wh..wh..opq"
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


class Extractor:
    """State of one extraction into the empty directory `root_fd` (stays the caller's)."""

    def __init__(self, root_fd: int, *, limits: Limits, whiteouts: bool = True) -> None:
        self._root = root_fd
        self._whiteouts = whiteouts
        self._parents = Parents(root_fd)
        self._known = self._parents.known
        self._times: dict[str, int] = {}
        self._entries = 0
        self._bytes = 0
        self._limits = limits
        space = os.fstatvfs(root_fd)
        self._max_bytes = limits.total_bytes or space.f_bavail * space.f_frsize * 49 // 50
        self._uids = Mapping("uid")
        self._gids = Mapping("gid")
        self._skipped: set[str] = set()
        self.owners: dict[str, tuple[int, int]] = {}
        self.notes: dict[str, int] = {}
        self.opaque_root = False

    def run(self, source: Source) -> None:
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
                    raise explained(error, entry) from error
            self._finish_times()
        finally:
            os.umask(old)
            self._parents.close()

    @property
    def counts(self) -> tuple[int, int]:
        """Entries and bytes so far."""
        return self._entries, self._bytes

    def _too_big(self) -> None:
        if self._entries + self._parents.made > self._limits.entries:
            raise RootlessError(f"the layer has more than {self._limits.entries} entries")
        raise RootlessError(
            f"the layer is larger than the {self._max_bytes >> 20} MiB there is room for",
            hint="free space (`rootless system prune`) or move ROOTLESS_ROOT to a larger file system",
        )

    # -- one entry ---------------------------------------------------------------------------

    def _extract(self, entry: Entry, source: Source) -> None:
        path = clean(entry.name)
        if not path:
            if entry.type != b"5":
                raise Corrupt(f"the layer's top is to become something else: {entry.name!r}")
            self._directory(entry, "", self._root)
            return
        directory, _, name = path.rpartition("/")
        if WHITEOUT in path and name[:4] == WHITEOUT and self._whiteouts:
            self._whiteout(directory, name)
            self._pass_over(source, entry.size)
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
            self._note("device nodes left out")
        else:
            self._note("entries of unknown type left out")
            self._pass_over(source, entry.size)

    def _file(self, entry: Entry, source: Source, parent: int, name: str, path: str, setgid: bool) -> None:
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
            if entry.xattrs:
                self._xattrs(fd, entry.xattrs)
            if mode & 0o6000 or (owned and mode & 0o7000):
                # Writing and chown(2) both drop these bits.
                os.fchmod(fd, mode)
                if entry.xattrs:
                    self._xattrs(fd, entry.xattrs)
            os.utime(fd, ns=(entry.mtime_ns, entry.mtime_ns))
        finally:
            os.close(fd)

    def _sparse(self, fd: int, entry: Entry, source: Source) -> None:
        os.ftruncate(fd, entry.real_size)
        for offset, length in entry.sparse or ():
            os.lseek(fd, offset, os.SEEK_SET)
            for piece in source.pieces(length):
                while piece:
                    piece = piece[os.write(fd, piece) :]
        source.skip(-entry.size % 512)

    def _make_directory(self, entry: Entry, parent: int, name: str, path: str, setgid: bool) -> None:
        try:
            os.mkdir(name, entry.mode & 0o777, dir_fd=parent)
            fresh = True
        except FileExistsError:
            fresh = False
            if not stat.S_ISDIR(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode):
                was_whiteout = self._clear(parent, name, path)
                os.mkdir(name, entry.mode & 0o777, dir_fd=parent)
                if was_whiteout:
                    self._set_opaque(path)
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

    def _directory(self, entry: Entry, path: str, fd: int) -> None:
        """Owner, mode and the rest of a directory that is there."""
        os.fchown(fd, *self._owner(entry, path))
        os.fchmod(fd, entry.mode)
        if entry.xattrs:
            self._xattrs(fd, entry.xattrs)
        self._times[path] = entry.mtime_ns
        # What is created below depends on its set-group-ID bit: look again.
        self._parents.forget(path)

    def _symlink(self, entry: Entry, parent: int, name: str, path: str, setgid: bool) -> None:
        if not entry.link:
            raise Corrupt(f"the layer has a symbolic link to nothing: {entry.name!r}")
        try:
            os.symlink(entry.link, name, dir_fd=parent)
        except FileExistsError:
            self._clear(parent, name, path)
            os.symlink(entry.link, name, dir_fd=parent)
        if entry.uid or entry.gid or setgid:
            os.chown(name, *self._owner(entry, path), dir_fd=parent, follow_symlinks=False)
        os.utime(name, ns=(entry.mtime_ns, entry.mtime_ns), dir_fd=parent, follow_symlinks=False)

    def _hard_link(self, entry: Entry, name: str, path: str) -> None:
        target = clean(entry.link)
        if target == path:
            return
        if target in self._skipped:
            self._skipped.add(path)
            self._note("device nodes left out")
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
                    return
                except FileExistsError:
                    if attempt:
                        raise
                    self._clear(parent, name, path)
        except (FileNotFoundError, NotADirectoryError):
            raise Corrupt(f"the layer has a hard link to what is not in it: {entry.name!r}") from None
        except PermissionError:
            raise Corrupt(f"the layer has a hard link to a directory: {entry.name!r}") from None

    def _fifo(self, entry: Entry, parent: int, name: str, path: str, setgid: bool) -> None:
        try:
            os.mkfifo(name, entry.mode, dir_fd=parent)
        except FileExistsError:
            self._clear(parent, name, path)
            os.mkfifo(name, entry.mode, dir_fd=parent)
        if entry.uid or entry.gid or setgid:
            os.chown(name, *self._owner(entry, path), dir_fd=parent, follow_symlinks=False)
        os.utime(name, ns=(entry.mtime_ns, entry.mtime_ns), dir_fd=parent, follow_symlinks=False)

    def _whiteout(self, directory: str, name: str) -> None:
        if name == OPAQUE:
            self._set_opaque(directory)
            return
        hidden = name[4:]
        if hidden[:4] == WHITEOUT:
            return  # aufs's own bookkeeping
        if hidden in ("", ".", ".."):
            raise Corrupt(f"the layer has a damaged whiteout: {name!r}")
        parent, _ = self._parents.open(directory)
        try:
            os.mknod(hidden, stat.S_IFCHR, 0, dir_fd=parent)
        except FileExistsError:
            # In one layer what is there wins, and hides what was below (OCI layer, Whiteouts).
            if stat.S_ISDIR(os.stat(hidden, dir_fd=parent, follow_symlinks=False).st_mode):
                self._set_opaque(f"{directory}/{hidden}" if directory else hidden)
        except PermissionError:
            # Before Linux 5.8: fuse-overlayfs and our copies read the tar's own form as well.
            os.close(os.open(name, _CREATE, 0o600, dir_fd=parent))

    def _set_opaque(self, directory: str) -> None:
        if not directory:
            self.opaque_root = True
        fd = self._open_directory(directory)
        try:
            os.setxattr(fd, OPAQUE_XATTR, b"y")
        finally:
            os.close(fd)

    # -- owners, attributes, times ---------------------------------------------------------------

    def _owner(self, entry: Entry, path: str) -> tuple[int, int]:
        uid = entry.uid if self._uids.has(entry.uid) else 0
        gid = entry.gid if self._gids.has(entry.gid) else 0
        if uid != entry.uid or gid != entry.gid:
            self.owners[path] = (entry.uid, entry.gid)
            self._note("owners outside your subordinate ids, kept as 0")
        return uid, gid

    def _xattrs(self, fd: int, xattrs: dict[str, bytes]) -> None:
        for name, value in xattrs.items():
            if name.startswith("trusted."):
                name = "user.rootless." + name
            elif name.startswith(
                ("user.overlay.", "user.fuseoverlayfs.", "user.rootless.")
            ) or not name.startswith(("user.", "security.capability", "system.posix_acl_")):
                # The first would steer overlayfs, others (selinux, ima) mean the machine it was made on.
                self._note("extended attributes left out")
                continue
            try:
                os.setxattr(fd, name, value)
            except OSError as error:
                if error.errno not in (
                    errno.EOPNOTSUPP,
                    errno.EPERM,
                    errno.EINVAL,
                    errno.ENOSPC,
                    errno.E2BIG,
                ):
                    raise
                self._note("extended attributes left out")

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

    def _note(self, what: str) -> None:
        self.notes[what] = self.notes.get(what, 0) + 1

    # -- directories -------------------------------------------------------------------------------

    def _open_directory(self, directory: str) -> int:
        """A real descriptor (not O_PATH) of `directory`; the caller's."""
        parent, _ = self._parents.open(directory)
        return os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=parent)

    def _clear(self, parent: int, name: str, path: str) -> bool:
        """Make room for another entry of that name; whether a whiteout stood there."""
        status = os.stat(name, dir_fd=parent, follow_symlinks=False)
        self.owners.pop(path, None)
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

    @staticmethod
    def _pass_over(source: Source, size: int) -> None:
        source.skip(size + (-size % 512))


def extract(source: Source, root_fd: int, *, limits: Limits | None = None) -> Extracted:
    """Extract `source` into the empty directory `root_fd`; see Extractor. Verifies nothing by itself."""
    extractor = Extractor(root_fd, limits=limits or Limits())
    extractor.run(source)
    digest = "sha256:" + source.digest()
    count, size = extractor.counts
    return Extracted(digest, count, size, extractor.opaque_root, extractor.owners, extractor.notes)
