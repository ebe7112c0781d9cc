"""Files of a store, for who writes there: found without links, since others of a group may write, too. Raises OSError."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import stat
from collections.abc import Callable, Iterator
from typing import Any

from rootless.image.stores import layout
from rootless.linux.filesystem import has_local_locks
from rootless.linux.openat2 import RESOLVE_BENEATH, RESOLVE_NO_SYMLINKS, openat2
from rootless.storage.layers import write_tar

_AT_FDCWD = -100
_BENEATH = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS
_LIMIT_BYTES = 8 << 20


@contextlib.contextmanager
def directory_of(store: str, name: str) -> Iterator[tuple[int, str]]:
    """The directory that the file `name` of the store is in, open, and its name there."""
    above, _, base = name.rpartition("/")
    root = openat2(_AT_FDCWD, os.path.realpath(store), os.O_PATH | os.O_DIRECTORY)
    try:
        parent = openat2(root, above or ".", os.O_RDONLY | os.O_DIRECTORY, resolve=_BENEATH)
        try:
            yield parent, base
        finally:
            os.close(parent)
    finally:
        os.close(root)


def make_directory(store: str, name: str) -> None:
    """Make the directory, which everybody may look into whatever the umask; nothing where it is there."""
    with directory_of(store, name) as (parent, base):
        try:
            os.mkdir(base, 0o755, dir_fd=parent)
        except FileExistsError:
            return
        # Set-group-id of the one above, by which a group publishes, stays.
        mode = os.stat(base, dir_fd=parent, follow_symlinks=False).st_mode
        made = openat2(parent, base, os.O_RDONLY | os.O_DIRECTORY, resolve=_BENEATH)
        try:
            os.fchmod(made, 0o755 | (mode & 0o2000))
        finally:
            os.close(made)


@contextlib.contextmanager
def locked(store: str, busy: Callable[[], object]) -> Iterator[str]:
    """While nobody else changes what records and names say; `busy` is called once where that is waited for. Yields why it is not locked
    against all others, "" where it is. Only those who may write there can open the lock: a reader must not keep publishers out."""
    with directory_of(store, layout.LOCK) as (parent, base):
        fd, why = _open_lock(parent, base)
        try:
            if fd >= 0:
                try:
                    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    busy()
                    fcntl.flock(fd, fcntl.LOCK_EX)
                except OSError as error:
                    why = error.strerror or str(error)
            yield why
        finally:
            if fd >= 0:
                os.close(fd)


def _open_lock(parent: int, base: str) -> tuple[int, str]:
    mode = 0o600 | (os.fstat(parent).st_mode & 0o020) * 3  # of a group's directory: 0660
    flags = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        try:
            fd = os.open(base, flags | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=parent)
            os.fchmod(fd, mode)
        except FileExistsError:
            fd = os.open(base, flags, dir_fd=parent)
    except OSError as error:
        return -1, error.strerror or str(error)
    local = has_local_locks(f"/proc/self/fd/{parent}")
    return fd, "its file system is mounted so that other machines do not see locks" if local else ""


def write(store: str, name: str, data: bytes) -> None:
    """Put the file there, whole, for everybody to read."""

    def put(out: write_tar.Sink) -> None:
        out.write(data)

    write_from(store, name, put)


def write_from(store: str, name: str, put: Callable[[write_tar.Sink], None], digest: str = "") -> None:
    """The same with what `put` writes, written aside, synced and renamed. ValueError, with nothing there, for another digest."""
    with directory_of(store, name) as (parent, base):
        aside = layout.ASIDE + os.urandom(8).hex()
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
        sink = _Hashed(os.open(aside, flags, 0o600, dir_fd=parent))
        try:
            try:
                put(sink)
                if digest not in ("", "sha256:" + sink.hash.hexdigest()):
                    raise ValueError("another digest")
                os.fchmod(sink.fd, 0o644)
                os.fsync(sink.fd)
            finally:
                os.close(sink.fd)
            os.rename(aside, base, src_dir_fd=parent, dst_dir_fd=parent)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(aside, dir_fd=parent)
            raise
        os.fsync(parent)


class _Hashed:
    """What is written to the file `fd`, hashed on the way."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.hash = hashlib.sha256()

    def write(self, data: bytes, /) -> None:
        self.hash.update(data)
        view = memoryview(data)
        while view:
            view = view[os.write(self.fd, view) :]


def touch(store: str, name: str) -> bool:
    """Let the file count as new; whether that could be done: it is gone, or another publisher's."""
    try:
        with directory_of(store, name) as (parent, base):
            os.utime(base, dir_fd=parent, follow_symlinks=False)
    except (FileNotFoundError, PermissionError):
        return False
    return True


def status(store: str, name: str) -> os.stat_result | None:
    """Of a regular file; None where there is none."""
    try:
        with directory_of(store, name) as (parent, base):
            found = os.stat(base, dir_fd=parent, follow_symlinks=False)
    except FileNotFoundError:
        return None
    return found if stat.S_ISREG(found.st_mode) else None


def document(store: str, name: str) -> dict[str, Any]:
    """A JSON object; {} where there is none, or what is there is none."""
    try:
        with directory_of(store, name) as (parent, base):
            fd = os.open(base, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW, dir_fd=parent)
        with open(fd, "rb") as file:
            value = json.loads(file.read(_LIMIT_BYTES)) if stat.S_ISREG(os.fstat(fd).st_mode) else None
    except (FileNotFoundError, ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def remove(store: str, name: str) -> None:
    """Remove the file."""
    with directory_of(store, name) as (parent, base):
        os.unlink(base, dir_fd=parent)


def remove_old(store: str, name: str, before: float) -> int:
    """Remove the file if it was last changed before that time; its bytes. 0, too, where it is gone, or another publisher's."""
    try:
        with directory_of(store, name) as (parent, base):
            found = os.stat(base, dir_fd=parent, follow_symlinks=False)
            if found.st_mtime >= before or stat.S_ISDIR(found.st_mode):
                return 0
            os.unlink(base, dir_fd=parent)
            return found.st_size
    except (FileNotFoundError, PermissionError):
        return 0
