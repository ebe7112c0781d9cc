"""Deleting whole trees that may be hostile: deep, unreadable, owned by any subordinate id.

Never follows a symbolic link, never opens a file, never holds
more than a few dozen descriptors, never recurses deeper than `_DEPTH`.
"""

from __future__ import annotations

import errno
import os

from rootless.linux.filesystem import chmod_nofollow

# Directories below this depth are first moved to the top: no recursion limit, no PATH_MAX.
_DEPTH = 24
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def remove_tree(path: str) -> list[str]:
    """Delete `path` and all below it; what could not be deleted, as "path: why" (empty = all gone).

    Wants the session joined where files of subordinate ids are below. Idempotent; several
    processes may do it at once. Does not cross into a mount: that is reported as busy.
    """
    try:
        os.unlink(path)
        return []
    except FileNotFoundError:
        return []
    except (IsADirectoryError, PermissionError):
        pass
    except OSError as error:
        if error.errno != errno.EISDIR:
            return [f"{path}: {error.strerror}"]
    parent = os.open(os.path.dirname(path) or ".", _DIRECTORY)
    try:
        return _Removal().run(parent, os.path.basename(path), path)
    finally:
        os.close(parent)


def remove_tree_at(parent: int, name: str) -> list[str]:
    """`remove_tree` of the directory `name` in the directory `parent` (O_PATH will do)."""
    return _Removal().run(parent, name, name)


# What became of an entry.
_GONE, _FULL, _RETRY, _FAILED = range(4)


class _Removal:
    """One tree being deleted: `failures` as `remove_tree` returns them."""

    def __init__(self) -> None:
        self.failures: list[str] = []
        self._top = -1
        self._moved = 0

    def run(self, parent: int, name: str, path: str) -> list[str]:
        self._directory(parent, name, path, 0)
        return self.failures

    def _directory(self, parent: int, name: str, path: str, depth: int) -> None:
        try:
            fd = _open_directory(parent, name)
        except FileNotFoundError:
            return
        except OSError as error:
            self._fail(path, error)
            return
        if depth == 0:
            self._top = fd
        try:
            while self._pass(fd, path, depth):
                pass
        finally:
            os.close(fd)
        try:
            os.rmdir(name, dir_fd=parent)
        except FileNotFoundError:
            pass
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST) or not self.failures:
                self._fail(path, error)

    def _pass(self, fd: int, path: str, depth: int) -> bool:
        """Delete what is in the directory; whether to go through it once more."""
        before = len(self.failures)
        again = False
        with os.scandir(fd) as entries:
            listing = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
        for child, is_directory in listing:
            outcome = self._entry(fd, child, f"{path}/{child}", is_directory=is_directory)
            if outcome == _RETRY:
                again = True
            elif outcome == _FULL and depth < _DEPTH:
                self._directory(fd, child, f"{path}/{child}", depth + 1)
            elif outcome == _FULL:
                self._move_to_top(fd, child, f"{path}/{child}")
        if len(self.failures) > before:
            return False
        # The top goes round again while directories are being moved up to it.
        return again or (depth == 0 and _has_entries(fd))

    def _entry(self, fd: int, child: str, path: str, *, is_directory: bool) -> int:
        try:
            if is_directory:
                os.rmdir(child, dir_fd=fd)
            else:
                os.unlink(child, dir_fd=fd)
        except FileNotFoundError:
            pass
        except OSError as error:
            if error.errno == errno.EACCES and _make_writable(fd):
                return _RETRY
            if is_directory and error.errno in (errno.ENOTEMPTY, errno.EEXIST):
                return _FULL
            self._fail(path, error)
            return _FAILED
        return _GONE

    def _move_to_top(self, fd: int, child: str, path: str) -> None:
        """A directory that is too deep becomes one of the tree's top, whose next pass deletes it."""
        self._moved += 1
        try:
            _make_writable_child(fd, child)
            os.rename(child, f".rm-{fd}-{self._moved}-{os.urandom(6).hex()}", src_dir_fd=fd, dst_dir_fd=self._top)
        except FileNotFoundError:
            pass
        except OSError as error:
            self._fail(path, error)

    def _fail(self, path: str, error: OSError) -> None:
        self.failures.append(f"{path}: {error.strerror}")


def _open_directory(parent: int, name: str) -> int:
    try:
        return os.open(name, _DIRECTORY, dir_fd=parent)
    except PermissionError:
        # Ours but 0000, and we are not root in the session.
        chmod_nofollow(name, 0o700, dir_fd=parent)
        return os.open(name, _DIRECTORY, dir_fd=parent)


def _has_entries(fd: int) -> bool:
    with os.scandir(fd) as entries:
        return next(entries, None) is not None


def _make_writable(fd: int) -> bool:
    """Give ourselves the directory's write and search bits; whether that changed anything."""
    mode = os.fstat(fd).st_mode
    if mode & 0o700 == 0o700:
        return False
    try:
        os.fchmod(fd, 0o700)
    except OSError:
        return False
    return True


def _make_writable_child(parent: int, name: str) -> None:
    # Renaming a directory to another parent rewrites its "..": that wants it writable.
    try:
        fd = _open_directory(parent, name)
    except OSError:
        return
    try:
        _make_writable(fd)
    finally:
        os.close(fd)
