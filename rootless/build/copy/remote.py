"""Sources of COPY and ADD that are no paths of a tree: heredocs, URLs, repositories. Each becomes a tree of its own."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterator
from contextlib import contextmanager

from rootless.build.context import git, http
from rootless.build.context.file_hashes import FileHashes
from rootless.build.context.source_tree import DIRECTORY, SourceTree
from rootless.build.plan.steps import GitSource, HttpSource, InlineSource
from rootless.errors import InvalidInput
from rootless.storage import staging
from rootless.storage.store import Store

_MODE = 0o644
Remote = HttpSource | GitSource | InlineSource


@contextmanager
def opened_remote(
    store: Store, source: Remote, *, ssh_socket: str = "", authorization: http.Authorization = lambda host: None
) -> Iterator[tuple[SourceTree, str]]:
    """The tree of one such source, and the name of the source in it ("" is all of it); gone when the context is left.

    Errors as http.download and git.checked_out have them.
    """
    if isinstance(source, GitSource):
        with git.checked_out(store, source, ssh_socket=ssh_socket) as checkout, _tree(checkout.directory, source.remote) as tree:
            yield tree, ""
        return
    with staging.directory(store, "copy") as path:
        if isinstance(source, InlineSource):
            with _tree(path, "the heredoc") as tree:
                yield tree, _inline(tree.root_fd, source)
            return
        name = _name(source.filename, source.url)
        # Its mode and time are those that the copy is to have.
        http.download(store, source.url, f"{path}/{name}", checksum=source.checksum, authorization=authorization)
        with _tree(path, http.shown(source.url)) as tree:
            yield tree, name


@contextmanager
def _tree(path: str, name: str) -> Iterator[SourceTree]:
    root = os.open(path, DIRECTORY)
    try:
        yield SourceTree(root, FileHashes(None, root_fd=root), name)
    finally:
        os.close(root)


def _name(filename: str, what: str) -> str:
    name = posixpath.basename(filename)
    if name in ("", ".", "..") or "\0" in name or len(os.fsencode(name)) > 255:
        raise InvalidInput(f"{what!r} says no name for the file", hint="make the destination a file's, without / at its end")
    return name


def _inline(root: int, source: InlineSource) -> str:
    name = _name(source.filename, source.filename)
    fd = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _MODE, dir_fd=root)
    with os.fdopen(fd, "wb") as file:
        os.fchmod(fd, _MODE)
        file.write(source.content.encode("utf-8", "surrogateescape"))
    return name
