"""Where one user's data live: the store's two directories and what is below them.

Imported by `run`, `exec` and `ps`; standard library only (see docs/development/architecture.md).
Knows names of directories, not what is in them. Reading never creates anything. Hot path.
"""

from __future__ import annotations

import fcntl
import os
import time

from rootless import paths
from rootless.record import Record
from rootless.storage import places
from rootless.storage.directories import asked_again as asked_again
from rootless.storage.directories import demand_own
from rootless.storage.directories import make_directory as make_directory


class Lease:
    """A shared hold on what is stored: while it is held nothing is collected.

    A context manager made by `Store.lease`. Cheap (one open, one flock), nestable, and it dies with
    the process. Whoever looks something up in order to refer to it (pull, load, create, commit) holds
    one from the lookup until the reference is on disk.
    """

    __slots__ = ("_fd",)

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def __enter__(self) -> Lease:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def release(self) -> None:
        """Give the hold up; idempotent."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


class Store(Record):
    """ROOT and RUNTIME, absolute; `Store.open` finds them.

    `root` holds all, or, where `shared` is set, what is this machine's: then images, their blobs, packed directories and
    volumes are in `shared`, which a network file system may hold (places.py).
    """

    root: str
    runtime: str
    shared: str = ""

    @classmethod
    def open(cls, root: str | None = None, runtime: str | None = None) -> Store:
        """The store at `root` (default: $ROOTLESS_ROOT and its ladder, see paths.data_root).

        Creates nothing below ROOT: each directory is made, 0700, by the first that writes in it.
        """
        if root is None:
            root = paths.data_root()
        root = os.path.abspath(root)
        runtime = paths.runtime_dir() if runtime is None else runtime
        local = places.find(root, runtime).local
        if local == root:
            demand_own(root)
        return cls(local, runtime, "" if local == root else root)

    @property
    def home(self) -> str:
        """ROOT as it was named: what outlives this machine is there."""
        return self.shared or self.root

    def wait(self) -> None:
        """Wait for the server of what is shared, and say so where it does not answer: before it is looked at."""
        if self.shared:
            from rootless.storage import file_servers

            file_servers.wait_for(self.shared)
            demand_own(self.shared)

    def now(self) -> float:
        """The time, as time.time() has it, by the clock that dates what is in `home`: its server's, which another machine's may differ from
        by hours. Asked by setting the directory's own times, which needs no room; ours where that cannot be, and nothing can be removed."""
        if self.shared:
            try:
                os.utime(self.shared)
                return os.stat(self.shared).st_mtime
            except OSError:
                pass
        return time.time()

    @property
    def containers(self) -> str:
        return self.root + "/containers"

    @property
    def names(self) -> str:
        return self.root + "/names"

    @property
    def images(self) -> str:
        return self.home + "/images"

    @property
    def layers(self) -> str:
        return self.root + "/layers"

    @property
    def blobs(self) -> str:
        return self.home + "/blobs"

    @property
    def volumes(self) -> str:
        return self.home + "/volumes"

    def run_directory(self, container_id: str) -> str:
        """RUNTIME/c/<id>, created 0700: sockets and what must not outlive a reboot.

        Its link `root` names our ROOT: RUNTIME is shared by all stores of a user, and what a killed
        command left there is its own store's to sweep.
        """
        path = f"{self.runtime}/c/{container_id}"
        make_directory(path)
        try:
            os.symlink(self.root, path + "/root")
        except FileExistsError:
            pass
        return path

    def lease(self) -> Lease:
        """Keep everything stored from being collected until the result is released.

        On a read-only store nothing can be collected either, so the hold is an empty one.
        """
        fd = open_lock(self.root + "/gc.lock", missing_ok=True)
        if fd >= 0:
            fcntl.flock(fd, fcntl.LOCK_SH)
        return Lease(fd)


def open_lock(path: str, *, missing_ok: bool = False) -> int:
    """A descriptor to flock `path` with, the file made if need be.

    The file's content is never touched, so this works on a full disk once the file exists. With
    `missing_ok`, -1 where the store is read-only and has no such file.
    """
    for _ in range(2):
        try:
            return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except FileNotFoundError:
            make_directory(os.path.dirname(path))
        except OSError:
            break
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        if missing_ok:
            return -1
        raise


def is_called(path: str, fd: int) -> bool:
    """Whether the open `fd` still is what has the name `path`; asked once it is locked, since it may have been deleted before."""
    try:
        return os.path.samestat(os.stat(path, follow_symlinks=False), os.fstat(fd))
    except FileNotFoundError:
        return False


def make_locked(place: str) -> int:
    """Make the directory `place` with a file `lock` in it, locked: the descriptor of that, the caller's. FileNotFoundError where
    the one above is missing."""
    while True:
        os.mkdir(place, 0o700)
        try:
            fd = os.open(place + "/lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except FileNotFoundError:
            continue  # a sweeper was faster (abandoned.py)
        fcntl.flock(fd, fcntl.LOCK_EX)
        if is_called(place + "/lock", fd):
            return fd
        os.close(fd)
