"""Content-addressed files: what was pulled or built, named by its digest.

A blob is there complete and verified, or it is not there. Unfinished downloads wait in
blobs/partial/ to be resumed; an exclusive flock means that a process is writing one.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
from collections.abc import Iterator
from types import TracebackType

from rootless.errors import Conflict, Corrupt, InvalidInput, NotFound
from rootless.linux.filesystem import has_local_locks
from rootless.linux.process import boot_id
from rootless.storage.directories import ask_again, nearest
from rootless.storage.store import Store, make_directory

_DIGEST = re.compile(r"(sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})\Z")
_BLOCK = 1 << 20


def check_digest(digest: str) -> None:
    """InvalidInput unless `digest` is a well-formed sha256 or sha512 digest (so: safe in a path)."""
    if not _DIGEST.match(digest):
        raise InvalidInput(
            f"invalid digest {digest[:160]!r}", hint="sha256:<64 hexadecimal digits> is expected"
        )


def path(store: Store, digest: str) -> str:
    """Absolute path of the blob, whether or not it is there."""
    check_digest(digest)
    return f"{store.blobs}/{digest.replace(':', '/', 1)}"


def partial_path(store: Store, digest: str) -> str:
    """Where an unfinished download of the blob waits: for all machines, or for this one alone where they would not see
    that it writes there."""
    check_digest(digest)
    name = digest.partition(":")[2]
    if store.shared and has_local_locks(nearest(store.shared)):
        name += "-" + boot_id()
    return f"{store.blobs}/partial/{name}"


def has(store: Store, digest: str, size: int | None = None) -> bool:
    """Whether the blob is stored (and has `size` bytes, where given)."""
    where = path(store, digest)
    store.wait()
    if store.shared and not os.path.exists(where):
        ask_again(store.shared, os.path.dirname(where))  # another machine may have just written it
    try:
        status = os.stat(where)
    except FileNotFoundError:
        return False
    return size is None or status.st_size == size


def size(store: Store, digest: str) -> int:
    """Bytes of the blob; 0 if it is not there."""
    try:
        return os.stat(path(store, digest)).st_size
    except FileNotFoundError:
        return 0


def read(store: Store, digest: str, *, limit_bytes: int = 8 << 20) -> bytes:
    """A small blob (a manifest or configuration), its digest verified; NotFound or Corrupt."""
    from rootless.atomic import read_bytes

    where = path(store, digest)
    try:
        if os.stat(where).st_size > limit_bytes:
            raise Corrupt(f"blob {digest} is larger than {limit_bytes} bytes")
        data = read_bytes(where)
    except FileNotFoundError:
        raise NotFound(f"no such blob: {digest}", hint="pull the image again") from None
    algorithm, _, expected = digest.partition(":")
    if hashlib.new(algorithm, data).hexdigest() != expected:
        raise Corrupt(f"stored blob {digest} does not match its digest", hint="pull the image again")
    return data


class Writer:
    """One blob being written; made by `writer`, used as a context manager.

    `offset` bytes are there already (and hashed) when a download is resumed: go on from there.
    Leaving the context without `commit` keeps the partial file for the next attempt.
    """

    def __init__(self, store: Store, digest: str, size: int | None) -> None:
        self._final = path(store, digest)
        self._digest = digest
        self._size = size
        algorithm = digest.partition(":")[0]
        self._partial = partial_path(store, digest)
        self._fd = _open_partial(self._partial, digest)
        self._hash = hashlib.new(algorithm)
        self.offset = 0
        try:
            while block := os.read(self._fd, _BLOCK):
                self._hash.update(block)
                self.offset += len(block)
            if size is not None and self.offset > size:
                self.restart()
        except BaseException:
            os.close(self._fd)
            raise

    def restart(self) -> None:
        """Forget what was there: the server cannot resume."""
        os.ftruncate(self._fd, 0)
        os.lseek(self._fd, 0, os.SEEK_SET)
        self._hash = hashlib.new(self._digest.partition(":")[0])
        self.offset = 0

    def write(self, data: bytes | bytearray | memoryview) -> int:
        """Append `data`. Corrupt as soon as more comes than was announced."""
        view = memoryview(data)
        if self._size is not None and self.offset + len(view) > self._size:
            self.restart()
            raise Corrupt(
                f"blob {self._digest} is longer than the {self._size} bytes announced",
                hint="the registry or a proxy on the way altered it; try again",
            )
        self._hash.update(view)
        self.offset += len(view)
        done = len(view)
        try:
            while view:
                view = view[os.write(self._fd, view) :]
        except OSError as error:
            from rootless.storage import disk_errors

            raise disk_errors.failed(f"cannot store blob {self._digest[:19]}", error, self._partial) from error
        return done

    def commit(self, *, durable: bool = True) -> str:
        """Verify, fsync and put the blob in place; its path. Corrupt (and the bytes dropped) if wrong."""
        actual = f"{self._digest.partition(':')[0]}:{self._hash.hexdigest()}"
        if actual != self._digest or (self._size is not None and self.offset != self._size):
            if self._size is not None and self.offset < self._size:
                raise Corrupt(
                    f"blob {self._digest} was cut short: {self.offset} of {self._size} bytes",
                    hint="try again: it goes on where it stopped",
                )
            os.unlink(self._partial)
            raise Corrupt(
                f"blob {self._digest} is corrupt: its {self.offset} bytes have digest {actual}",
                hint="the download was damaged; try again",
            )
        if durable:
            os.fsync(self._fd)
        make_directory(os.path.dirname(self._final))
        try:
            os.rename(self._partial, self._final)
        except FileNotFoundError:
            # Another machine may have written the same file to its end, if its locks are not seen here.
            if not os.path.isfile(self._final):
                raise
        return self._final

    def __enter__(self) -> Writer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._fd)


def _open_partial(partial: str, digest: str) -> int:
    make_directory(os.path.dirname(partial))
    while True:
        fd = os.open(partial, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Renamed into place by its former holder between our open and our lock?
            here = os.stat(partial)
            if (here.st_ino, here.st_dev) == (os.fstat(fd).st_ino, os.fstat(fd).st_dev):
                return fd
        except BlockingIOError:
            os.close(fd)
            raise Conflict(
                f"blob {digest[:19]} is being downloaded by another command", hint="wait for it and try again"
            ) from None
        except FileNotFoundError:
            pass
        os.close(fd)


def writer(store: Store, digest: str, size: int | None = None) -> Writer:
    """Write the blob `digest`; a context manager. Conflict while another process writes the same.

    Needs no session. See `wait` for what to do about the Conflict.
    """
    return Writer(store, digest, size)


def wait(store: Store, digest: str) -> bool:
    """Wait until nobody writes the blob; whether it is there now."""
    try:
        fd = os.open(partial_path(store, digest), os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return has(store, digest)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
    finally:
        os.close(fd)
    return has(store, digest)


def add_bytes(store: Store, data: bytes) -> str:
    """Store a small blob made here; its sha256 digest."""
    digest = "sha256:" + hashlib.sha256(data).hexdigest()
    if not has(store, digest, len(data)):
        from rootless.atomic import write_bytes

        where = path(store, digest)
        make_directory(os.path.dirname(where))
        write_bytes(where, data)
    return digest


def digests(store: Store) -> Iterator[str]:
    """Digests of all stored blobs."""
    for algorithm in ("sha256", "sha512"):
        try:
            entries = os.listdir(f"{store.blobs}/{algorithm}")
        except FileNotFoundError:
            continue
        for entry in entries:
            if _DIGEST.match(f"{algorithm}:{entry}"):
                yield f"{algorithm}:{entry}"


def remove(store: Store, digest: str) -> None:
    """Delete the blob; idempotent."""
    try:
        os.unlink(path(store, digest))
    except FileNotFoundError:
        pass
