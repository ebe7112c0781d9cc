"""The contexts of a build: its own, and those of --build-context; opened when the first step wants one."""

from __future__ import annotations

import hashlib
import os

from rootless.build.context import file_hashes
from rootless.build.context.file_hashes import FileHashes
from rootless.build.context.ignore import NOTHING, PathPatterns, read_lines
from rootless.build.context.source_tree import DIRECTORY, SourceTree
from rootless.build.context.walk import Filters, walk
from rootless.build.execute.run_mounts import Tree
from rootless.build.plan.sources import ContextSource
from rootless.errors import NotFound, NotSupported
from rootless.storage.store import Store, make_directory


class Contexts:
    """A context manager. `directory` is the build context's, "" where there is none."""

    def __init__(self, store: Store, directory: str, ignore_files: list[str]) -> None:
        self._store = store
        self._directory = directory
        self._ignore_files = ignore_files
        self._trees: dict[ContextSource, SourceTree] = {}

    def __enter__(self) -> Contexts:
        return self

    def __exit__(self, *_: object) -> None:
        for tree in self._trees.values():
            tree.hashes.close()
            os.close(tree.root_fd)

    def tree(self, source: ContextSource) -> SourceTree:
        """The context, open; ours."""
        if source not in self._trees:
            self._trees[source] = self._open(source)
        return self._trees[source]

    def _place(self, source: ContextSource) -> str:
        place = source.value if source.name else self._directory
        if not place:
            raise NotFound("there is no build context to copy from", hint="name a directory: rootless build .")
        if "://" in place:
            raise NotSupported(f"a context from {place} is not supported yet", hint="fetch it, and name the directory")
        return os.path.abspath(place)

    def _open(self, source: ContextSource) -> SourceTree:
        place = self._place(source)
        try:
            root = os.open(place, DIRECTORY)
        except OSError as error:
            raise NotFound(f"unable to prepare context: path {place!r}: {error.strerror}") from None
        make_directory(file_hashes.directory(self._store))
        table = hashlib.sha256(os.fsencode(place)).hexdigest()[:40]
        hashes = FileHashes(f"{file_hashes.directory(self._store)}/{table}", root_fd=root)
        files = [f"{place}/.dockerignore"] if source.name else self._ignore_files
        for path in files:
            try:
                with open(path, "rb") as file:
                    patterns = PathPatterns(read_lines(file.read(1 << 20)))
            except (FileNotFoundError, NotADirectoryError):
                continue
            return SourceTree(root, hashes, "the build context", patterns, os.path.basename(path))
        return SourceTree(root, hashes, "the build context")

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
