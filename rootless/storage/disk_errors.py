"""A file system that is full, read-only or gone: which one, what it lacks, and what to do. The one place for these words.

The kernel says a number, often without a path. Here it becomes a sentence with the mount point and the type, and with what
statvfs(2) and quotactl(2) tell. Whoever removes what it has half written asks `failed` first: afterwards there is room again.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from rootless import sizes
from rootless.errors import DISK_ERRORS, FileSystemFailed, RootlessError, disk_cause, path_of
from rootless.linux import quota
from rootless.storage.file_servers import MountedAt, mount_of, refusing
from rootless.storage.store import Store

_LITTLE_BYTES = 256 << 10
"""Less is full: a file system keeps something back for itself."""


class Told(NamedTuple):
    """What has failed, without a full stop, and what to do about it."""

    what: str
    hint: str


def failed(doing: str, error: OSError, path: str) -> RootlessError:
    """The error for who was `doing` ("cannot store blob X") something in `path`, a file or directory, when the kernel refused.

    Where it is none of a file system's it says what the kernel said.
    """
    told = explain(error, path)
    if told is None:
        return RootlessError(f"{doing}: {error.strerror or error}", hint=refusing(error, path))
    return FileSystemFailed(f"{doing}: {told.what}", hint=told.hint)


@contextmanager
def named(doing: str, directory: str) -> Iterator[None]:
    """What is written meanwhile lies in `directory`: an error of write(2) has no name, and afterwards there may be room again."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT) or path_of(error):
            raise
        raise failed(doing, error, directory) from error


def words(error: RootlessError) -> tuple[str, str | None]:
    """Message and hint of an error that a user is to see, with the file system where one is the cause."""
    cause = disk_cause(error)
    told = explain(cause) if cause is not None else None
    if told is None:
        return error.message, error.hint
    return f"{error.message} ({told.what})", f"{error.hint}\n{told.hint}" if error.hint else told.hint


def explain(error: OSError, path: str = "") -> Told | None:
    """What has failed; None where `error` is none of a file system's, or nothing tells which one it is.

    `path` is where, if the caller knows it. An overlay's files are in its upper directory: that of a container is the store's.
    """
    if error.errno not in DISK_ERRORS:
        return None
    path = path_of(error) or path
    mount = mount_of(path) if path else None
    if mount is None or mount.kind == "overlay":
        place = next((place for place in _places() if _has_failed(place, error.errno)), "")
        mount = (mount_of(place) if place else None) or mount
    if mount is None:
        return None
    if error.errno == errno.ENOSPC:
        return _full(mount)
    if error.errno == errno.EDQUOT:
        return _quota(mount)
    simple = _SIMPLE.get(error.errno or 0)
    return Told(*(text.format(mount=mount, point=mount.point) for text in simple)) if simple else None


_SIMPLE = {
    errno.EROFS: (
        "{mount} is read-only",
        "`rootless info` names the directories that are used; --root DIRECTORY or ROOTLESS_ROOT, and ROOTLESS_LOCAL, name others",
    ),
    errno.ESTALE: (
        "the server of {mount} no longer has this file or directory (a stale handle)",
        "it was removed or moved on another machine, or the server has started anew: go to the directory again (`cd`) and repeat the "
        "command; if that does not help the administrator has to mount {point} again",
    ),
    errno.EIO: (
        "input/output error on {mount}",
        "the disk or the server behind {point} has failed: the administrator's `dmesg` says how; ROOTLESS_ROOT and ROOTLESS_LOCAL name "
        "other places",
    ),
    errno.ENOTCONN: (
        "the program that serves {mount} has ended",
        "let go of it with `fusermount3 -u -z {point}`, and mount it again: what is stored there is as it was",
    ),
}
_SIMPLE[errno.ECONNABORTED] = _SIMPLE[errno.ENOTCONN]
_MAKE_ROOM = (
    "`rootless system df` shows what is used, `rootless system prune` and `rootless image prune -a` free what is not needed; "
    "ROOTLESS_ROOT, or ROOTLESS_LOCAL for all but images and volumes, names another place"
)


def _full(mount: MountedAt) -> Told:
    try:
        status = os.statvfs(mount.point)
    except OSError:
        return Told(f"no space left on {mount}", _MAKE_ROOM)
    if status.f_files and not status.f_favail:
        return Told(
            f"no space left on {mount}: none of its {status.f_files:,} inodes is free, so no file can be made there",
            f"`df -i {mount.point}` shows it; {_MAKE_ROOM}",
        )
    free = f"{sizes.decimal(status.f_bavail * status.f_frsize)} of {sizes.decimal(status.f_blocks * status.f_frsize)}"
    inodes = f" and {status.f_favail:,} inodes" if status.f_files else ""  # btrfs and others have as many as there is room for
    return Told(f"no space left on {mount}: {free}{inodes} are free now", _MAKE_ROOM)


def _quota(mount: MountedAt) -> Told:
    see = (
        f"`lfs quota -h {mount.point}` shows it" if mount.kind == "lustre" else
        "`quota -s` shows it, or a command of your site's"
    )  # fmt: skip
    for each in quotas(mount.point):
        if each.files_limit and each.files_used >= each.files_limit:
            used = f"{each.files_used:,} of {each.files_limit:,} files"
        elif each.bytes_limit and each.bytes_used + _LITTLE_BYTES >= each.bytes_limit:
            used = f"{sizes.decimal(each.bytes_used)} of {sizes.decimal(each.bytes_limit)}"
        else:
            continue
        return Told(f"the disk quota of your {each.whose} on {mount} is used up: {used}", f"{see}; {_MAKE_ROOM}")
    whose = "in bytes or in files, yours, your group's or the directory's"
    return Told(f"the disk quota on {mount} is used up ({whose})", f"{see}; {_MAKE_ROOM}")


def quotas(path: str) -> list[quota.Quota]:
    """What is allowed to the caller where `path` is; [] where that cannot be read."""
    try:
        return quota.of_caller(path)
    except OSError:
        return []


def lacking(path: str) -> Told | None:
    """What keeps anybody from writing more where `path` is; None where nothing does that can be seen."""
    number = next((each for each in (errno.ENOSPC, errno.EDQUOT) if _has_failed(path, each)), 0)
    return explain(OSError(number, os.strerror(number), os.path.abspath(path)))


def raise_said(output: str, path: str) -> None:
    """OSError where a program that was writing `path` has said one of the kernel's words for a file system that failed."""
    for number in DISK_ERRORS:
        if os.strerror(number) in output:
            raise OSError(number, os.strerror(number), path)


def _places() -> list[str]:
    """Directories that a command writes in."""
    found = [os.environ.get("TMPDIR") or "/tmp"]
    try:
        store = Store.open()
        found = [store.root, store.home, store.runtime, *found]
    except (OSError, RootlessError):
        pass  # what keeps it from being opened is the error that is being told
    try:
        found.append(os.getcwd())
    except OSError:
        pass
    return found


def _has_failed(place: str, number: int | None) -> bool:
    """Whether the file system of `place` can be the one that said `number`."""
    try:
        status = os.statvfs(place)
    except OSError as error:
        return error.errno == number
    if number == errno.ENOSPC:
        # Without any blocks it is one that does not count them.
        little = bool(status.f_blocks) and status.f_bavail * status.f_frsize < _LITTLE_BYTES
        return little or bool(status.f_files and not status.f_favail)
    if number == errno.EROFS:
        return bool(status.f_flag & os.ST_RDONLY)
    return number == errno.EDQUOT and _is_refused(place)


def _is_refused(place: str) -> bool:
    """Whether a file that is written in `place` now is refused for a quota. Tried: who keeps it on a server tells nothing else."""
    path = f"{place}/.quota-{os.getpid()}-{os.urandom(4).hex()}"
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        return error.errno == errno.EDQUOT
    try:
        os.write(fd, bytes(64 << 10))
        os.fsync(fd)
    except OSError as error:
        return error.errno == errno.EDQUOT
    finally:
        os.close(fd)
        os.unlink(path)
    return False
