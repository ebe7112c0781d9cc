"""What the build cache keeps of sources: downloads, repositories, digests of contexts' files. All can be had again."""

from __future__ import annotations

import os
from typing import NamedTuple

from rootless.build.context import file_hashes, git, http, kept
from rootless.storage.maintenance.usage import tree_bytes
from rootless.storage.remove_tree import remove_tree
from rootless.storage.store import Store

# BuildKit's words, where it has one.
_DIRECTORIES = {
    "source.http": http.directory,
    "source.git.checkout": git.directory,
    "source.local": file_hashes.directory,
}
KINDS = frozenset(_DIRECTORIES)


class Fetched(NamedTuple):
    """One source. `used` is when, in seconds since the epoch."""

    id: str
    kind: str
    size: int
    used: float


def every(store: Store, *, sizes: bool = True) -> list[Fetched]:
    """All of them; 0 as size without `sizes`."""
    found = []
    for kind, directory in _DIRECTORIES.items():
        try:
            entries = list(os.scandir(directory(store)))
        except FileNotFoundError:
            continue
        for entry in entries:
            if entry.name.startswith("."):
                continue
            try:
                status = os.stat(entry.path + "/lock" if entry.is_dir(follow_symlinks=False) else entry.path)
            except OSError:
                continue
            size = 0
            if sizes:
                size = tree_bytes(entry.path) if entry.is_dir(follow_symlinks=False) else status.st_blocks * 512
            found.append(Fetched(entry.name, kind, size, status.st_mtime))
    return found


def remove(store: Store, kind: str, identifier: str, *, used_since: float) -> bool:
    """Forget one; False where it was used since then, somebody is at it, or another was faster."""
    directory = _DIRECTORIES[kind](store)
    where, gone = f"{directory}/{identifier}", f"{directory}/.rm-{os.urandom(6).hex()}"
    is_locked = os.path.isdir(where)
    lock = kept.take(where) if is_locked else -1
    if is_locked and lock < 0:
        return False
    try:
        if is_locked and os.fstat(lock).st_mtime >= used_since:
            return False
        os.rename(where, gone)
    except FileNotFoundError:
        return False
    finally:
        if lock >= 0:
            os.close(lock)
    remove_tree(gone)
    return True


def sweep(store: Store) -> None:
    """Delete what killed builds and prunes left half-made; the same goes for when none is going on."""
    for directory in _DIRECTORIES.values():
        try:
            names = os.listdir(directory(store))
        except FileNotFoundError:
            continue
        for name in names:
            if name.startswith("."):
                remove_tree(f"{directory(store)}/{name}")
