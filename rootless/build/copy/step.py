"""A COPY or ADD, whole: opened, digested for its key, written.

    with opened(store, step, tree_of) as copy:
        key = key_part(copy, users_root)         # nothing is written yet
        written = apply(copy, root_fd, users_root)

What is written is digested once more on the way: where `written.digest` is not the key's, a source changed
meanwhile, and the result is to be kept under its own digest. Runs in the session, single-threaded.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import NamedTuple

from rootless.build.context import archive, glob
from rootless.build.context.source_tree import SourceTree
from rootless.build.copy import destination, select
from rootless.build.copy.entries import (
    Entry,
    EntryDigest,
    HardLinks,
    LeftOut,
    Rules,
    digest_entries,
    entries,
    open_file,
)
from rootless.build.copy.mode import Mode
from rootless.build.copy.owner import UsersRoot, resolve
from rootless.build.copy.select import Selected
from rootless.build.copy.writer import Owners, Writer, cannot_write
from rootless.build.plan.sources import Source
from rootless.build.plan.steps import CopyStep, GitSource, PathSource
from rootless.errors import InvalidInput
from rootless.linux.rlimit import many_descriptors
from rootless.storage.layers.recorded import Reader
from rootless.storage.store import Store

TreeOf = Callable[[Source], SourceTree]
# The value of an Authorization header for a host, or None (context/http.py, which brings what talks to servers).
Authorization = Callable[[str], "str | None"]
_SEVERAL = (
    "When using {} with more than one source file, the destination must be a directory and end with a /"
)


class _Part(NamedTuple):
    """Sources of one tree. `archives`: what is an archive is unpacked. The rest as in the step, or not for these."""

    tree: SourceTree
    words: tuple[str, ...]
    archives: bool
    parents: bool = False
    excludes: tuple[str, ...] = ()


class OpenCopy(NamedTuple):
    """A step whose sources are at hand."""

    step: CopyStep
    parts: tuple[_Part, ...]
    mtime_ns: int | None


class Written(NamedTuple):
    """What was written. `digest` as `key_part` gives it. `owners`: {path in the root: (uid, gid)} of files whose
    owners have no id here, for the layer's owners.json; `notes`: what was left out, a line each reason."""

    digest: str
    files: int
    bytes: int
    owners: dict[str, tuple[int, int]]
    notes: list[str]


@contextmanager
def opened(
    store: Store,
    step: CopyStep,
    tree_of: TreeOf,
    *,
    epoch: int | None = None,
    ssh_socket: str = "",
    authorization: Authorization = lambda host: None,
) -> Iterator[OpenCopy]:
    """Open all sources: `tree_of` gives the trees of contexts, stages and images; what is remote is fetched into the
    store. `epoch` (SOURCE_DATE_EPOCH, seconds) is the time that all files get. `ssh_socket` and `authorization` (the
    secrets HTTP_AUTH_TOKEN_<host>, HTTP_AUTH_HEADER_<host>) are for remote sources."""
    with ExitStack() as stack:
        parts = []
        for source in step.sources:
            if isinstance(source, PathSource):
                archives = step.add and step.unpack is not False
                parts.append(_Part(tree_of(source.from_), source.patterns, archives, step.parents, step.excludes))
                continue
            from rootless.build.copy.remote import opened_remote  # which brings what talks to servers

            remote = opened_remote(store, source, ssh_socket=ssh_socket, authorization=authorization)
            tree, name = stack.enter_context(remote)
            excludes = step.excludes if isinstance(source, GitSource) else ()
            parts.append(_Part(tree, (glob.escape(name),), step.unpack is True, excludes=excludes))
        yield OpenCopy(step, tuple(parts), None if epoch is None else epoch * 1_000_000_000)


def key_part(copy: OpenCopy, users_root: UsersRoot) -> str:
    """The digest of what `apply` will write and where, in hexadecimal; files that are known are not read again.

    It depends on the root only through `--chown` with names: `users_root` opens the root whose passwd has them.
    """
    digest = _begun(copy)
    left_out, mode = LeftOut(), Mode(copy.step.chmod)
    with many_descriptors():
        for part in copy.parts:
            owner = resolve(copy.step.chown, users_root, keeps_owners=part.tree.keeps_owners)
            rules = Rules(owner, mode, Reader(part.tree.links, kept=part.tree.emulated))
            links = HardLinks()
            for selected in _selected(part):
                found = entries(selected, links, left_out)
                if part.archives and not selected.is_directory:
                    found = _without_archives(found, rules, digest)
                digest_entries(found, rules, digest)
    return digest.hexdigest()


def apply(copy: OpenCopy, root_fd: int, users_root: UsersRoot) -> Written:
    """Write into the root `root_fd`: a mounted one, or an empty directory where the step is linked.

    InvalidInput, NotFound, Conflict as the instruction is wrong; RootlessError where something cannot be read or
    written. What is there then is to be thrown away.
    """
    old = os.umask(0)
    try:
        with many_descriptors():
            return _Application(copy, root_fd, users_root).run()
    finally:
        os.umask(old)


def _begun(copy: OpenCopy) -> EntryDigest:
    digest = EntryDigest()
    step = copy.step
    digest.add_words(
        step.destination, "link" if step.link else "", "parents" if step.parents else "", str(copy.mtime_ns)
    )
    return digest


def _selected(part: _Part) -> Iterator[Selected]:
    for word in part.words:
        yield from select.select(part.tree, word, parents=part.parents, excludes=part.excludes)


def _archive(entry: Entry) -> tuple[int, os.stat_result] | None:
    """The entry's file, opened, and its fstat(2), where it is an archive."""
    if entry.first is not None or not entry.found.status.st_size:
        return None
    fd, status = open_file(entry)
    if archive.is_archive(fd):
        return fd, status
    os.close(fd)
    return None


def _add_archive(digest: EntryDigest, rules: Rules, payload: bytes) -> None:
    """An archive's own name, owner and mode leave no trace."""
    digest.add_words("unpack", str(rules.owner.ids), payload.hex())


def _without_archives(found: Iterator[Entry], rules: Rules, digest: EntryDigest) -> Iterator[Entry]:
    """The entries that are copied as they are; what is unpacked goes into the digest here."""
    for entry in found:
        opened_archive = _archive(entry)
        if opened_archive is None:
            yield entry
            continue
        try:
            _add_archive(digest, rules, entry.tree.hashes.of(*opened_archive))
        finally:
            os.close(opened_archive[0])


class _Application:
    """One apply. `_as_file`: a file was written at the destination itself, so nothing more can be."""

    def __init__(self, copy: OpenCopy, root_fd: int, users_root: UsersRoot) -> None:
        self._step = copy.step
        self._copy = copy
        self._root = root_fd
        self._users_root = users_root
        self._digest = _begun(copy)
        self._left_out = LeftOut()
        self._owners = Owners(root_fd)
        self._as_file = False
        self._files = 0
        self._bytes = 0

    def run(self) -> Written:
        mode = Mode(self._step.chmod)
        for part in self._copy.parts:
            owner = resolve(self._step.chown, self._users_root, keeps_owners=part.tree.keeps_owners)
            rules, links = Rules(owner, mode, Reader(part.tree.links, kept=part.tree.emulated)), HardLinks()
            for selected in _selected(part):
                if self._as_file:
                    raise InvalidInput(_SEVERAL.format("ADD" if self._step.add else "COPY"))
                found = entries(selected, links, self._left_out)
                if selected.is_directory:
                    self._write(found, rules, overwrites=not selected.parents)
                else:
                    for entry in found:
                        self._file(entry, part, rules)
        return Written(
            self._digest.hexdigest(), self._files, self._bytes, self._owners.unmapped, self._left_out.lines()
        )

    def _write(self, found: Iterator[Entry], rules: Rules, *, overwrites: bool) -> None:
        directory = self._directory(self._step.destination, rules)
        try:
            self._fill(directory, found, rules, overwrites=overwrites)
        finally:
            os.close(directory)

    def _file(self, entry: Entry, part: _Part, rules: Rules) -> None:
        opened_archive = _archive(entry) if part.archives else None
        if opened_archive is not None:
            try:
                self._unpack(entry, opened_archive[0], rules)
            finally:
                os.close(opened_archive[0])
            return
        path = self._step.destination
        if path.endswith("/") or destination.is_directory(self._root, path):
            self._write(iter((entry,)), rules, overwrites=True)
            return
        parent, name = destination.file_target(self._root, path, lambda fd: self._owners.give(fd, rules.owner.of_parents))
        try:
            self._fill(parent, iter((entry,)), rules, renamed=name)
        finally:
            os.close(parent)
        self._as_file = True

    def _fill(
        self, directory: int, found: Iterator[Entry], rules: Rules, *, renamed: str | None = None, overwrites: bool = True
    ) -> None:
        writer = Writer(
            directory, rules, self._owners, self._digest, self._left_out,
            renamed=renamed, overwrites=overwrites, mtime_ns=self._copy.mtime_ns,
        )  # fmt: skip
        try:
            for entry in found:
                writer.write(entry)
        finally:
            writer.close()
        self._files += writer.files
        self._bytes += writer.bytes

    def _unpack(self, entry: Entry, fd: int, rules: Rules) -> None:
        directory = self._directory(self._step.destination, rules)
        try:
            owner = rules.owner.ids if self._step.chown else None
            done = archive.unpack(archive.FromStart(fd), directory, name=repr(entry.source), owner=owner)
            for why, count in done.notes.items():
                self._left_out.add(f"{why} ({count})", entry.source)
            above = destination.real_path(self._root, directory)
            for path, ids in done.owners.items():
                self._owners.unmapped[f"{above}/{path}" if above else path] = ids
        finally:
            os.close(directory)
        self._files += done.entries
        self._bytes += done.bytes
        _add_archive(self._digest, rules, entry.tree.hashes.of(fd, os.fstat(fd)))

    def _directory(self, path: str, rules: Rules) -> int:
        try:
            return destination.make_directory(
                self._root, path, lambda fd: self._owners.give(fd, rules.owner.of_parents)
            )
        except OSError as error:
            raise cannot_write(path, error) from error
