"""The contexts of a build: its own, and those of --build-context; opened when the first step wants one."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from rootless.build.context import file_hashes
from rootless.build.context.file_hashes import FileHashes
from rootless.build.context.ignore import NOTHING, PathPatterns, read_lines
from rootless.build.context.source_tree import SourceTree
from rootless.build.context.walk import Filters, walk
from rootless.build.definition import is_remote, open_inside
from rootless.build.execute.tree import Tree
from rootless.build.plan.sources import CONTEXT, ContextSource
from rootless.build.plan.steps import CopyStep, PathSource
from rootless.build.progress.vertices import Progress, Status, Vertex
from rootless.errors import NotFound, RootlessError
from rootless.record import TYPE_CHECKING
from rootless.storage import named_paths
from rootless.storage.store import Store, make_directory

if TYPE_CHECKING:
    from rootless.build.context.fetch import FetchedContext

_LARGEST = 1 << 20


class Contexts:
    """A context manager. `directory` is the build context's, "" where there is none, `time` its own where it has one."""

    def __init__(
        self,
        store: Store,
        directory: str,
        ignore_files: list[str],
        progress: Progress,
        *,
        ssh_socket: str = "",
        time: int | None = None,
    ) -> None:
        self._store = store
        self._ssh_socket = ssh_socket
        self._progress = progress
        self._directory = directory
        self._ignore_files = ignore_files
        self._trees: dict[ContextSource, SourceTree] = {}
        self._was_read = False
        self._fetched: dict[ContextSource, FetchedContext] = {}
        self._times: dict[ContextSource, int | None] = {CONTEXT: time}
        self._stack = ExitStack()

    def __enter__(self) -> Contexts:
        return self

    def __exit__(self, *_: object) -> None:
        for tree in self._trees.values():
            tree.hashes.close()
            os.close(tree.root_fd)
        self._stack.close()

    def tree(self, source: ContextSource) -> SourceTree:
        """The context, open; ours."""
        if source not in self._trees:
            self._trees[source] = self._open(source)
        return self._trees[source]

    @contextmanager
    def being_read(self, step: CopyStep) -> Iterator[None]:
        """While the first step that copies from the build context looks at what it is to copy: the vertex of that."""
        from_context = any(isinstance(one, PathSource) and one.from_ == CONTEXT for one in step.sources)
        if self._was_read or not from_context:
            yield
            return
        self._was_read = True
        hashes = self.tree(CONTEXT).hashes
        vertex = Vertex("[internal] load build context")
        self._progress.start(vertex)
        try:
            yield
        except RootlessError as error:
            self._progress.failed(vertex, error.message)
            raise
        # Nothing is transferred: it is read where it is, as far as it has changed. But that line is what people look for.
        self._progress.status(vertex, Status("transferring context", hashes.bytes_read, done=True))
        self._progress.done(vertex)

    def time(self, source: ContextSource) -> int | None:
        """When what was fetched was made, in seconds since 1970; a directory of the caller's has no such time."""
        if source.name:
            self._place(source)
        return self._times.get(source)

    def _place(self, source: ContextSource) -> str:
        place = source.value if source.name else self._directory
        if not place:
            raise NotFound("there is no build context to copy from", hint="name a directory: rootless build .")
        if source in self._fetched:
            return self._fetched[source].directory
        if source.name and is_remote(place):
            return self._fetch(source)
        return os.path.abspath(place)

    def _fetch(self, source: ContextSource) -> str:
        from rootless.build.context import fetch, http

        vertex = Vertex(f"[context {source.name}] {http.shown(source.value)}")
        self._progress.start(vertex)
        try:
            remote = fetch.from_remote(self._store, source.value, ssh_socket=self._ssh_socket, keeps_owners=True)
            found = self._stack.enter_context(remote)
        except RootlessError as error:
            self._progress.failed(vertex, error.message)
            raise
        if found.dockerfile is not None:
            # No archive: a file, which is called as in its URL.
            name = source.value.partition("?")[0].rstrip("/").rpartition("/")[2]
            with open(f"{found.directory}/{name or 'file'}", "wb") as file:
                file.write(found.dockerfile)
        self._progress.done(vertex)
        self._fetched[source] = found
        self._times[source] = found.time
        return found.directory

    def _open(self, source: ContextSource) -> SourceTree:
        place = self._place(source)
        try:
            root = named_paths.open_directory(place, "the context")
        except OSError as error:
            raise NotFound(f"unable to prepare context: path {place!r}: {error.strerror}") from None
        name = f"the context {source.name}" if source.name else "the build context"
        if source in self._fetched:
            # No ignore file counts, an archive's files belong to whom it says, and nobody finds this place again.
            return SourceTree(root, FileHashes(None, root_fd=root), name, keeps_owners=True, owners=self._fetched[source].owners)
        make_directory(file_hashes.directory(self._store))
        table = hashlib.sha256(os.fsencode(place)).hexdigest()[:40]
        hashes = FileHashes(f"{file_hashes.directory(self._store)}/{table}", root_fd=root)
        files = [f"{place}/.dockerignore"] if source.name else self._ignore_files
        label = f"[context {source.name}]" if source.name else "[internal]"
        return self._ignoring(SourceTree(root, hashes, name), files, place, label)

    def _ignoring(self, tree: SourceTree, files: list[str], place: str, label: str) -> SourceTree:
        """The tree without what the first of `files` that is there leaves out."""
        vertex = Vertex(f"{label} load .dockerignore")
        self._progress.start(vertex)
        data = b""
        for path in files:
            if not os.path.lexists(path):
                continue
            with open(open_inside(path, place), "rb") as file:
                data = file.read(_LARGEST)
            tree = tree._replace(patterns=PathPatterns(read_lines(data)), ignored_by=os.path.basename(path))
            break
        self._progress.status(vertex, Status("transferring context", len(data), done=True))
        self._progress.done(vertex)
        return tree

    def as_directory(self, source: ContextSource) -> Tree:
        """Its directory, and what its ignore file leaves out, for a RUN to mount."""
        tree = self.tree(source)
        hidden: list[str] = []
        if tree.patterns is not NOTHING and tree.patterns:
            everything = tree._replace(patterns=NOTHING)
            for found in walk(everything, tree.root_fd, "", Filters()):
                if found.leaving or not tree.patterns.ignores(found.path):
                    continue
                decision = tree.patterns.decide_path(found.path)
                if found.fd < 0 or tree.patterns.can_skip_directory(found.path, decision):
                    hidden.append(found.path)
        return Tree(directory=self._place(source), hidden=tuple(_tops(hidden)))


def _tops(paths: list[str]) -> list[str]:
    """Without what is below another."""
    known = set(paths)
    return [path for path in paths if not any(above in known for above in _above(path))]


def _above(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[:count]) for count in range(1, len(parts))]
