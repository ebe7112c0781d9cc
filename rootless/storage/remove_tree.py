"""Deleting whole trees that strangers made: deep, unreadable, owned by any subordinate id.

HOT (`run --rm` deletes with it). Never follows a symbolic link, never opens a file, never holds
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
    failures: list[str] = []
    try:
        os.unlink(path)
        return failures
    except FileNotFoundError:
        return failures
    except (IsADirectoryError, PermissionError):
        pass
    except OSError as error:
        if error.errno != errno.EISDIR:
            return [f"{path}: {error.strerror}"]
    parent = os.open(os.path.dirname(path) or ".", _DIRECTORY)
    try:
        _remove_directory(parent, os.path.basename(path), path, 0, -1, failures)
    finally:
        os.close(parent)
    return failures


def remove_tree_at(parent: int, name: str) -> list[str]:
    """`remove_tree` of the directory `name` in the directory `parent` (O_PATH will do)."""
    failures: list[str] = []
    _remove_directory(parent, name, name, 0, -1, failures)
    return failures


def _open_directory(parent: int, name: str) -> int:
    try:
        return os.open(name, _DIRECTORY, dir_fd=parent)
    except PermissionError:
        # Ours but 0000, and we are not root in the session.
        chmod_nofollow(name, 0o700, dir_fd=parent)
        return os.open(name, _DIRECTORY, dir_fd=parent)


def _remove_directory(parent: int, name: str, path: str, depth: int, top: int, failures: list[str]) -> None:
    try:
        fd = _open_directory(parent, name)
    except FileNotFoundError:
        return
    except OSError as error:
        failures.append(f"{path}: {error.strerror}")
        return
    if top < 0:
        top = fd
    moved = 0
    try:
        while True:
            before = len(failures)
            again = False
            with os.scandir(fd) as entries:
                listing = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
            for child, is_directory in listing:
                try:
                    if not is_directory:
                        os.unlink(child, dir_fd=fd)
                        continue
                    os.rmdir(child, dir_fd=fd)
                    continue
                except FileNotFoundError:
                    continue
                except OSError as error:
                    if error.errno == errno.EACCES and _make_writable(fd):
                        again = True
                        continue
                    if not (is_directory and error.errno in (errno.ENOTEMPTY, errno.EEXIST)):
                        failures.append(f"{path}/{child}: {error.strerror}")
                        continue
                if depth < _DEPTH:
                    _remove_directory(fd, child, f"{path}/{child}", depth + 1, top, failures)
                    continue
                moved += 1
                try:
                    _make_writable_child(fd, child)
                    os.rename(child, f".rm-{fd}-{moved}-{os.urandom(6).hex()}", src_dir_fd=fd, dst_dir_fd=top)
                except FileNotFoundError:
                    continue
                except OSError as error:
                    failures.append(f"{path}/{child}: {error.strerror}")
            # The top goes round again while directories are being moved up to it.
            if len(failures) > before or not (again or (depth == 0 and _has_entries(fd))):
                break
    finally:
        os.close(fd)
    try:
        os.rmdir(name, dir_fd=parent)
    except FileNotFoundError:
        pass
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST) or not failures:
            failures.append(f"{path}: {error.strerror}")


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
