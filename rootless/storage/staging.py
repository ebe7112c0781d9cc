"""Directories that live as long as one command: where a foreign archive is unpacked before it is used.

    tmp/<purpose>-<random>     flock held on the directory; swept when unlocked

A killed command leaves one behind, with files of any subordinate id; the next that needs one, or the
collector, deletes it. Wants the session joined.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

from rootless.storage.remove_tree import remove_tree
from rootless.storage.store import Store, is_called, make_directory

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@contextmanager
def directory(store: Store, purpose: str) -> Iterator[str]:
    """An empty private directory of the store, on the file system of its volumes and layers; deleted at the end."""
    make_directory(f"{store.root}/tmp")
    sweep(store)
    path, held = _new(store, purpose)
    try:
        yield path
    finally:
        remove_tree(path)
        os.close(held)


def _new(store: Store, purpose: str) -> tuple[str, int]:
    while True:
        path = f"{store.root}/tmp/{purpose}-{os.urandom(8).hex()}"
        os.mkdir(path, 0o700)
        try:
            fd = os.open(path, _DIRECTORY)
            fcntl.flock(fd, fcntl.LOCK_EX)
            if is_called(path, fd):
                return path, fd
            os.close(fd)
        except FileNotFoundError:
            pass  # a sweeper was faster than our lock


def sweep(store: Store) -> list[str]:
    """Delete what killed commands left; what went."""
    done: list[str] = []
    try:
        entries = os.listdir(f"{store.root}/tmp")
    except FileNotFoundError:
        return done
    for entry in entries:
        path = f"{store.root}/tmp/{entry}"
        try:
            fd = os.open(path, _DIRECTORY)
        except OSError:
            continue
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            remove_tree(path)
            done.append(entry)
        except BlockingIOError:
            pass
        finally:
            os.close(fd)
    return done
