"""Sources of COPY and ADD that are no paths of a tree: heredocs, URLs, repositories. Each becomes a tree of its own."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterator
from contextlib import contextmanager

from rootless.build.context.file_hashes import FileHashes
from rootless.build.context.source_tree import DIRECTORY, SourceTree
from rootless.build.plan.steps import GitSource, HttpSource, InlineSource
from rootless.errors import InvalidInput
from rootless.storage import staging
from rootless.storage.store import Store

_MODE = 0o644
Remote = HttpSource | GitSource | InlineSource


@contextmanager
def opened_remote(store: Store, source: Remote) -> Iterator[tuple[SourceTree, str]]:
    """The tree of one such source, and the word that means it there; gone when the context is left."""
    with staging.directory(store, "copy") as path:
        root = os.open(path, DIRECTORY)
        hashes = FileHashes(None, root_fd=root)
        try:
            if isinstance(source, InlineSource):
                yield SourceTree(root, hashes, "the heredoc"), _inline(root, source)
            else:
                raise NotImplementedError
        finally:
            os.close(root)


def _inline(root: int, source: InlineSource) -> str:
    name = posixpath.basename(source.filename)
    if name in ("", ".", "..") or "\0" in name:
        raise InvalidInput(f"a heredoc cannot be called {source.filename!r}", hint="its word is the name of the file")
    fd = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _MODE, dir_fd=root)
    with os.fdopen(fd, "wb") as file:
        os.fchmod(fd, _MODE)
        file.write(source.content.encode("utf-8", "surrogateescape"))
    return name
