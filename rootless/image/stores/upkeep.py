"""Images taken out of a store for others, and what is in it without a name removed when nobody can need it any more.

A reader may run an image that has lost its name. So its files stay for some days after that, by the clock of the file server.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from rootless.errors import NotFound, RootlessError
from rootless.image.stores import layout, writing
from rootless.image.stores import lookup as stores
from rootless.image.stores.reading import OpenStore

KEEP_DAYS = 14
_DAY_S = 86_400
_MOST = 1_000_000


def unpublish(directory: str, names: Sequence[str]) -> None:
    """Take the canonical `names` out of the store. NotFound, with nothing done, where it lacks one."""
    with opened(directory) as store:
        meant: dict[str, tuple[str, ...]] = {}
        for name in names:
            meaning = stores.named(store, name)
            if meaning is None:
                raise NotFound(f"{directory} has no image {name}", hint=f"`rootless image publish {directory}` lists what it has")
            meant[name] = meaning.every()
    try:
        for name, identifiers in meant.items():
            for identifier in identifiers:
                writing.touch(directory, layout.record(identifier))  # before: their days begin now
            with writing.locked(directory, lambda: None):
                writing.remove(directory, layout.name(name))
    except OSError as error:
        raise RootlessError(f"cannot change the store {directory}: {error.strerror}: {error.filename}", hint="is it yours?") from error


def opened(directory: str) -> OpenStore:
    """The store, for who keeps it. NotFound, Unavailable."""
    return OpenStore(os.path.abspath(directory), limited=False)


def sweep(directory: str, keep_days: int) -> int:
    """Remove what no image with a name needs and has not been touched for so many days; bytes. Of what cannot be removed
    (another publisher's, where each may remove but his own) nothing is said. Corrupt, with nothing done, for a damaged record."""
    with opened(directory) as store:
        # Names before records: an image that is published meanwhile has a young one.
        problems: list[RootlessError] = []
        every = stores.meanings(store, problems).values()
        named = {identifier for meaning in every for identifier in meaning.every()}
        if problems:
            raise problems[0]
        now = _now(directory)
        before = now - keep_days * _DAY_S
        needed = {layout.blob(digest) for meaning in every for digest in meaning.indexes}
        old: list[str] = []
        for entry in store.names(layout.RECORDS, _MOST):
            path = f"{layout.RECORDS}/{entry}"
            if "sha256:" + entry.removesuffix(".json") not in named and _changed(directory, path) < before:
                old.append(path)
                continue
            try:
                needed |= layout.paths_of(store.document(path))
            except NotFound:
                continue  # another sweeper was faster
            except ValueError as error:
                raise store.wrong(path, str(error)) from None
        freed = sum(writing.remove_old(directory, path, before) for path in old)
        for below in (layout.BLOBS, layout.FILES):
            for entry in store.names(below, _MOST):
                if f"{below}/{entry}" not in needed:
                    freed += writing.remove_old(directory, f"{below}/{entry}", before)
        # What a killed publisher has left: nobody writes a file for a day.
        for below in (layout.BLOBS, layout.FILES, layout.RECORDS, layout.NAMES, "."):
            for entry in store.names(below, _MOST, asides=True):
                freed += writing.remove_old(directory, f"{below}/{entry}", now - _DAY_S)
    return freed


def _now(directory: str) -> float:
    """The time of the file server, which says when files were changed."""
    with writing.directory_of(directory, layout.ASIDE + os.urandom(8).hex()) as (parent, name):
        fd = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600, dir_fd=parent)
        try:
            return os.fstat(fd).st_mtime
        finally:
            os.close(fd)
            os.unlink(name, dir_fd=parent)


def _changed(directory: str, path: str) -> float:
    found = writing.status(directory, path)
    return found.st_mtime if found else 0.0
