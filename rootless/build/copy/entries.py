"""What a copy writes, file by file, and its digest: of what will be there, never of where it came from.

The digest has paths, types, modes and owners as they will be, contents, link targets and extended attributes;
no times. Two copies with the same digest and destination write the same.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from typing import NamedTuple

from rootless.build.context.archive import A_DELETION, is_whiteout
from rootless.build.context.file_hashes import combined, xattrs
from rootless.build.context.source_tree import DIRECTORY, FILE, SourceTree
from rootless.build.context.walk import Found, walk
from rootless.build.copy.mode import Mode
from rootless.build.copy.owner import Owner
from rootless.build.copy.select import Selected
from rootless.errors import RootlessError
from rootless.storage.layers.recorded import Reader


class Entry(NamedTuple):
    """One file to write. `target` is its path below the destination, where that is a directory.

    `first` is the target of an earlier entry that is the same file (a hard link), else None.
    """

    tree: SourceTree
    source: str  # its path in the tree, for errors
    target: str
    found: Found
    first: str | None = None


class Rules(NamedTuple):
    """What the flags say of each file."""

    owner: Owner
    mode: Mode
    records: Reader

    def ids(self, entry: Entry, status: os.stat_result) -> tuple[int, int]:
        """Whose the entry will be; `status` is that of what was read."""
        if self.owner.ids is not None:
            return self.owner.ids
        found = entry.found
        by_name = found.fd < 0
        said = self.records.owner_by_name(found.directory, found.name, status) if by_name else self.records.owner(found.fd, status)
        return said if said != (status.st_uid, status.st_gid) else entry.tree.owners.get(entry.source, said)

    def bits(self, status: os.stat_result) -> int:
        return self.mode.of(status.st_mode)


class HardLinks:
    """The files of one copy that have several names, by what identifies them."""

    def __init__(self) -> None:
        self._first: dict[tuple[int, int], str] = {}

    def first(self, status: os.stat_result, target: str) -> str | None:
        """The target that an earlier name of this file got; None for the first one, which is remembered."""
        if status.st_nlink < 2 or not stat.S_ISREG(status.st_mode):
            return None
        identity = status.st_dev, status.st_ino
        known = self._first.setdefault(identity, target)
        return None if known == target else known


class LeftOut:
    """What cannot be copied, counted by reason, with the first few names."""

    def __init__(self) -> None:
        self._found: dict[str, list[str]] = {}
        self._counts: dict[str, int] = {}

    def add(self, why: str, path: str) -> None:
        self._counts[why] = self._counts.get(why, 0) + 1
        names = self._found.setdefault(why, [])
        if len(names) < 3:
            names.append(path)

    def lines(self) -> list[str]:
        """A line each reason."""
        return [
            f"{why}: {', '.join(names)}" + (f" and {more} more" if (more := self._counts[why] - len(names)) else "")
            for why, names in self._found.items()
        ]


def entries(selected: Selected, links: HardLinks, left_out: LeftOut) -> Iterator[Entry]:
    """The entries of one source, directories before what is in them, and again when they are left."""
    if not selected.is_directory:
        yield from _file(selected, links, left_out)
        return
    tree = selected.tree
    top = _open_directory(selected)
    try:
        for found in walk(tree, top, selected.path, selected.filters):
            source = f"{selected.path}/{found.path}" if selected.path else found.path
            if why := _why_not(found):
                if not found.leaving:
                    left_out.add(why, source)
                continue
            yield Entry(tree, source, found.path, found, links.first(found.status, found.path))
    finally:
        os.close(top)


def _file(selected: Selected, links: HardLinks, left_out: LeftOut) -> Iterator[Entry]:
    above, _, name = selected.path.rpartition("/")
    try:
        parent = selected.tree.open(above, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise selected.tree.unreadable(selected.path, error) from None
    try:
        try:
            status = os.stat(name, dir_fd=parent, follow_symlinks=False)
        except OSError as error:
            raise selected.tree.unreadable(selected.path, error) from None
        found = Found(selected.name, parent, name, status)
        if why := _why_not(found):
            left_out.add(why, selected.path)
            return
        yield Entry(selected.tree, selected.path, selected.name, found, links.first(status, selected.name))
    finally:
        os.close(parent)


def _open_directory(selected: Selected) -> int:
    try:
        return selected.tree.open(selected.path, DIRECTORY)
    except OSError as error:
        raise selected.tree.unreadable(selected.path, error) from None


def _why_not(found: Found) -> str:
    """Why this file is left out; "" where it is not. What is below a directory that is left out is still asked about."""
    mode = found.status.st_mode
    if is_whiteout(found.path):
        return A_DELETION
    if stat.S_ISSOCK(mode):
        return "sockets, left out"
    if stat.S_ISCHR(mode) or stat.S_ISBLK(mode):
        return "devices, left out"
    return ""


class EntryDigest:
    """The digest of entries, in the order in which they come."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()

    def add_words(self, *words: str) -> None:
        """What is not a file: flags, a destination."""
        for word in words:
            encoded = os.fsencode(word)
            self._hash.update(b"%d:" % len(encoded))
            self._hash.update(encoded)

    def add(self, entry: Entry, rules: Rules, payload: bytes) -> None:
        """One entry; `payload` as `payload_of` it."""
        status = entry.found.status
        if entry.first is not None:
            self._record(b"h", entry.target, b"", os.fsencode(entry.first))
            return
        uid, gid = rules.ids(entry, status)
        bits = 0 if stat.S_ISLNK(status.st_mode) else rules.bits(status)
        kind = b"%o" % stat.S_IFMT(status.st_mode)
        self._record(kind, entry.target, b"%o %d %d %d" % (bits, uid, gid, size(status)), payload)

    def _record(self, kind: bytes, target: str, numbers: bytes, payload: bytes) -> None:
        path = os.fsencode(target)
        self._hash.update(b"%s %d:%s %s %d:" % (kind, len(path), path, numbers, len(payload)))
        self._hash.update(payload)

    def hexdigest(self) -> str:
        return self._hash.hexdigest()


def size(status: os.stat_result) -> int:
    """The size that counts: a directory's is its file system's matter."""
    return status.st_size if stat.S_ISREG(status.st_mode) else 0


def payload_of(entry: Entry) -> tuple[bytes, os.stat_result]:
    """What an entry holds, beyond its metadata: the digest of a file, a link's target, a directory's attributes.

    And the metadata of what was read, which may be another file than was listed. RootlessError where it cannot be.
    """
    found = entry.found
    mode = found.status.st_mode
    if entry.first is not None or stat.S_ISFIFO(mode):
        return b"", found.status
    if stat.S_ISDIR(mode):
        attributes = xattrs(found.fd)
        return (combined(b"", attributes) if attributes else b""), found.status
    if stat.S_ISLNK(mode):
        try:
            return os.fsencode(os.readlink(found.name, dir_fd=found.directory)), found.status
        except OSError as error:
            raise entry.tree.unreadable(entry.source, error) from None
    known = entry.tree.hashes.known(found.status)
    if known is not None:
        return known, found.status
    fd, status = open_file(entry)
    try:
        return entry.tree.hashes.of(fd, status), status
    finally:
        os.close(fd)


def open_file(entry: Entry) -> tuple[int, os.stat_result]:
    """The entry's regular file opened for reading, the caller's; and fstat(2) of it."""
    found = entry.found
    try:
        fd = os.open(found.name, FILE, dir_fd=found.directory)
    except OSError as error:
        raise entry.tree.unreadable(entry.source, error) from None
    status = os.fstat(fd)
    if not stat.S_ISREG(status.st_mode):
        os.close(fd)
        raise RootlessError(
            f"{entry.source!r} of {entry.tree.name} changed while it was read", hint="build again when nothing changes it"
        )
    return fd, status


def digest_entries(found: Iterator[Entry], rules: Rules, digest: EntryDigest) -> None:
    """Add all entries to `digest`, reading what is not known."""
    for entry in found:
        if entry.found.leaving:
            continue
        payload, status = payload_of(entry)
        digest.add(entry._replace(found=entry.found._replace(status=status)), rules, payload)
