"""Which of the build cache running builds need, so that it can be pruned beside them.

    build/running/<pid>-<rand>    a build: flocked for as long as it runs, its mtime is when it began
    build/pruning.lock            shared while a build looks a result up and marks it as used, alone while one is deleted

What a build uses it marks as used at its beginning or later (records.find), and what it makes is younger: so all
that was used since the oldest of the running builds began is kept, and nothing has to be written for each step. A build
looks up and marks in one piece: either a prune sees the mark, or the build misses what was deleted.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

from rootless.storage.store import Store, make_directory, open_lock

# Times of files are kept less exactly than they are given.
_MARGIN_S = 1.0


def _directory(store: Store) -> str:
    return f"{store.root}/build/running"


@contextmanager
def running(store: Store) -> Iterator[None]:
    """A build: all that it uses from now on is kept until its end, however that comes."""
    make_directory(_directory(store))
    while True:
        path = f"{_directory(store)}/{os.getpid()}-{os.urandom(6).hex()}"
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        fcntl.flock(fd, fcntl.LOCK_EX)
        if os.fstat(fd).st_nlink:
            break
        os.close(fd)  # taken for a dead one's before it was locked
    try:
        os.utime(fd)
        yield
    finally:
        os.unlink(path)
        os.close(fd)


@contextmanager
def looking(store: Store) -> Iterator[None]:
    """While a build looks a result up and marks it: nothing is deleted meanwhile."""
    fd = open_lock(f"{store.root}/build/pruning.lock", missing_ok=True)
    try:
        if fd >= 0:
            fcntl.flock(fd, fcntl.LOCK_SH)
        yield
    finally:
        if fd >= 0:
            os.close(fd)


@contextmanager
def deleting(store: Store) -> Iterator[float]:
    """While something is deleted that no build may look up meanwhile: what was used at the time that this gives (seconds
    since the epoch), or later, has to stay."""
    fd = open_lock(f"{store.root}/build/pruning.lock")
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield _oldest(store) - _MARGIN_S
    finally:
        os.close(fd)


def _oldest(store: Store) -> float:
    """When the oldest of the running builds began; later than all times where there is none."""
    found = [float("inf")]
    try:
        names = os.listdir(_directory(store))
    except FileNotFoundError:
        names = []
    for name in names:
        path = f"{_directory(store)}/{name}"
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:
            continue
        try:
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
            os.unlink(path)  # a killed build's
        except BlockingIOError:
            found.append(os.fstat(fd).st_mtime)
        except FileNotFoundError:
            pass
        finally:
            os.close(fd)
    return min(found)
