"""RUN --mount=type=cache: directories that RUNs keep for later ones.

    build/mounts/<hash of the id>[-N]/data    what is mounted; -N: further ones, of sharing=private
    build/mounts/<hash>[-N]/mount.json        {"id"}; its mtime: when it was used last
    build/mounts/<hash>[-N]/lock              flocked by who has it mounted: shared, or alone (locked, private)
    build/mounts/.new-*                       being made; swept

Kept with the store, not in a temporary directory: a cleaner of /tmp takes nothing away.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Callable

from rootless import atomic
from rootless.build.plan.steps import Mount
from rootless.runtime.mounts import owners
from rootless.storage.remove_tree import remove_tree
from rootless.storage.store import Store, make_directory


class CacheMount:
    """A cache directory that a RUN has: `path` is to be mounted; `lock` is a descriptor, and goes with the process."""

    def __init__(self, path: str, lock: int) -> None:
        self.path = path
        self.lock = lock


def top(store: Store) -> str:
    return f"{store.root}/build/mounts"


def use(store: Store, mount: Mount, seed: Callable[[str], None] | None = None) -> CacheMount:
    """The directory of a cache mount, made where it is missing: mode and owner as asked then, filled by `seed`.

    sharing=shared has one for all; locked waits until nobody else has it; private takes another one where it
    is taken. The caller is a worker in the session.
    """
    make_directory(top(store))
    name = hashlib.sha256(mount.id.encode("utf-8", "surrogateescape")).hexdigest()[:40]
    number = 0
    while True:
        where = f"{top(store)}/{name}" + (f"-{number}" if number else "")
        if not os.path.isdir(where):
            _make(store, where, mount, seed)
        try:
            lock = os.open(where + "/lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except FileNotFoundError:
            continue  # a prune was faster
        how = fcntl.LOCK_SH if mount.sharing == "shared" else fcntl.LOCK_EX
        try:
            fcntl.flock(lock, how | (fcntl.LOCK_NB if mount.sharing == "private" else 0))
        except BlockingIOError:
            os.close(lock)
            number += 1
            continue
        if os.path.isdir(where):
            os.utime(where + "/mount.json")
            return CacheMount(where + "/data", lock)
        os.close(lock)


def _make(store: Store, where: str, mount: Mount, seed: Callable[[str], None] | None) -> None:
    new = f"{top(store)}/.new-{os.getpid()}-{os.urandom(6).hex()}"
    os.mkdir(new, 0o700)
    try:
        data = new + "/data"
        os.mkdir(data, 0o700)
        if seed is not None:
            seed(data)
        fd = os.open(data, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            owners.give(fd, mount.uid, mount.gid, 0o755 if mount.mode is None else mount.mode, f"the cache {mount.id}")
        finally:
            os.close(fd)
        atomic.write_json(new + "/mount.json", {"id": mount.id}, durable=False)
        try:
            os.rename(new, where)
        except OSError:
            if not os.path.isdir(where):  # else another build was faster
                raise
    finally:
        remove_tree(new)
