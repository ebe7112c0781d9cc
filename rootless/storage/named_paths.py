"""Paths that the caller named, which may lie where other accounts can write: /tmp/out, /tmp/id, /tmp/cache.

What a link in such a directory leads to is believed only where the link is the caller's, whatever
fs.protected_symlinks says of it: a job that writes to /tmp/out would else write where anybody says, with the
caller's rights. Between the look and the opening a link may be put there; so links are followed here, and
what is opened then is the result only as long as it has none.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager

from rootless import inherited
from rootless.errors import InvalidInput, RootlessError
from rootless.linux.libc import AT_FDCWD
from rootless.linux.openat2 import RESOLVE_NO_MAGICLINKS, RESOLVE_NO_SYMLINKS, open_without_links, openat2

_MOST_LINKS = 40
_SHARED = stat.S_ISVTX | stat.S_IWOTH
_UNMAPPED = 65534
_WITHOUT_LINKS = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS
_PLACE = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def follow(path: str, what: str) -> str | None:
    """The absolute `path` without links; None where it leads through /proc, whose links are no paths.

    InvalidInput, which calls it `what`, for a link of another account in a directory like /tmp.
    """
    try:
        os.close(open_without_links(path))
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOENT):
            return _without_links(path, what)
    return path  # what cannot be reached is the opening's to say


def way(path: str, what: str) -> tuple[str, list[str]]:
    """As `follow`, and every directory in which it looks for a name: who may rename there chooses what `path` is.

    InvalidInput also where it leads through /proc.
    """
    looked: list[str] = []
    exact = _without_links(path, what, looked)
    if exact is None:
        raise InvalidInput(f"{what} {path} leads through /proc")
    return exact, looked


def open_directory(path: str, what: str) -> int:
    """A descriptor of the directory `path`, for listing; the caller's. InvalidInput, OSError."""
    exact = follow(_absolute(path), what)
    if exact is None:
        return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    return openat2(AT_FDCWD, exact, os.O_RDONLY | os.O_DIRECTORY, resolve=_WITHOUT_LINKS)


def make_directory(path: str, what: str) -> int:
    """The same, of one that is made where it is missing, with those above it. InvalidInput also for another account's
    directory in one like /tmp, at the end or on the way: its owner could take away or replace what is put there."""
    exact = follow(_absolute(path), what)
    if exact is None:
        return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    above, place = os.open("/", _PLACE), ""
    try:
        for name in [part for part in exact.split("/") if part]:
            try:
                below = os.open(name, _PLACE, dir_fd=above)
            except FileNotFoundError:
                try:
                    os.mkdir(name, 0o777 & ~inherited.umask, dir_fd=above)
                except FileExistsError:
                    pass  # somebody was faster
                below = os.open(name, _PLACE, dir_fd=above)
            place = f"{place}/{name}"
            around = os.fstat(above)
            os.close(above)
            above = below
            _refuse_strangers(os.fstat(above), around, what, place)
        return os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=above)
    finally:
        os.close(above)


@contextmanager
def made_directory(path: str) -> Iterator[str]:
    """The same as a path, for whoever opens files in it by their names; RootlessError."""
    try:
        fd = make_directory(path, "the directory")
    except OSError as error:
        raise failure(path, error, "cannot write to") from None
    try:
        yield f"/proc/self/fd/{fd}"
    finally:
        os.close(fd)


def open_file(path: str, what: str, *, flags: int = 0) -> int:
    """A descriptor of the file, FIFO or device `path`, for reading; the caller's. InvalidInput, OSError."""
    exact = follow(_absolute(path), what)
    if exact is None:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC | flags)
    return open_exact(exact, flags=flags)


def open_followed(path: str, what: str, *, flags: int) -> int:
    """A descriptor of the absolute `path` with these `flags`; the caller's. InvalidInput, OSError."""
    exact = follow(path, what)
    return os.open(path, flags | os.O_CLOEXEC) if exact is None else openat2(AT_FDCWD, exact, flags, resolve=_WITHOUT_LINKS)


def open_exact(path: str, *, flags: int = 0) -> int:
    """The same of a path that was resolved: ELOOP where a link was put into it since."""
    return openat2(AT_FDCWD, path, os.O_RDONLY | flags, resolve=_WITHOUT_LINKS)


def open_new_content(path: str, what: str) -> int:
    """A descriptor of `path` for writing what it is to hold from now on, made where it is missing; the caller's.

    InvalidInput also for another account's file or FIFO in a directory like /tmp: it could change or read it.
    """
    exact = follow(_absolute(path), what)
    mode = 0o666 & ~inherited.umask
    if exact is None:
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
    refuse_strangers(exact, what)
    fd = openat2(AT_FDCWD, exact, os.O_WRONLY | os.O_CREAT, mode, resolve=_WITHOUT_LINKS)
    try:
        refuse_strangers(f"/proc/self/fd/{fd}", what, around=os.path.dirname(exact))  # put there since
        if stat.S_ISREG(os.fstat(fd).st_mode):
            os.ftruncate(fd, 0)
    except BaseException:
        os.close(fd)
        raise
    return fd


def open_new_file(path: str, what: str) -> int:
    """A descriptor for writing of a file that is made; FileExistsError where anything has the name, a link too."""
    above, _, name = _absolute(path).rpartition("/")
    exact = follow(above or "/", what)
    flags, mode = os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666 & ~inherited.umask
    if exact is None:
        return os.open(path, flags | os.O_CLOEXEC, mode)
    fd = openat2(AT_FDCWD, f"{exact}/{name}", flags, mode, resolve=_WITHOUT_LINKS)
    os.fchmod(fd, mode)
    return fd


def refuse_strangers(path: str, what: str, *, around: str = "") -> None:
    """InvalidInput where `path`, which has no links, is there, is another account's, and lies in a directory like /tmp:
    nobody but who made it knows what it is for. fs.protected_regular and fs.protected_fifos, whatever they say here."""
    try:
        found, directory = os.stat(path), os.stat(around or os.path.dirname(path))
    except OSError:
        return
    _refuse_strangers(found, directory, what, path)


def _refuse_strangers(found: os.stat_result, around: os.stat_result, what: str, path: str) -> None:
    if is_shared(around) and found.st_uid != os.geteuid():
        raise InvalidInput(
            f"{what} {path} belongs to another user, in a directory that all may write to",
            hint="name another one, in a directory that only you can write to",
        )


def is_shared(directory: os.stat_result) -> bool:
    """Whether it is one like /tmp: all may write to it, and rename only what is theirs."""
    return directory.st_mode & _SHARED == _SHARED


def _absolute(path: str) -> str:
    return path if path.startswith("/") else f"{os.getcwd()}/{path}"


def _without_links(path: str, what: str, looked: list[str] | None = None) -> str | None:
    found, left, links = "/", path.split("/"), 0
    while left:
        name = left.pop(0)
        if name in ("", "."):
            continue
        if name == "..":
            found = os.path.dirname(found)
            continue
        if looked is not None and found not in looked:
            looked.append(found)
        below = os.path.join(found, name)
        if below == "/proc":
            return None
        target = _link(found, below, f"{what} {path}")
        if target is None:
            found = below
            continue
        links += 1
        if links > _MOST_LINKS:
            raise InvalidInput(f"{what} {path}: too many levels of symbolic links")
        found = "/" if target.startswith("/") else found
        left = [*target.split("/"), *left]
    return found


def _link(directory: str, path: str, said: str) -> str | None:
    """Where the link at `path` leads; None where it is none, or not there."""
    try:
        fd = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        status = os.fstat(fd)
        if not stat.S_ISLNK(status.st_mode):
            return None
        around = os.stat(directory)
        # Other accounts, root too, have no number in the session, so none of their links can be told from another's.
        trusted = status.st_uid in {os.geteuid(), around.st_uid} - {_UNMAPPED}
        if is_shared(around) and not trusted:
            raise InvalidInput(
                f"{said} is a symbolic link of another user, in a directory that all may write to",
                hint="name the directory itself, if you mean what the link leads to",
            )
        return os.readlink("", dir_fd=fd)
    finally:
        os.close(fd)


def failure(path: str, error: OSError, doing: str) -> RootlessError:
    """`doing` (cannot write to) with the file's name and the kernel's reason."""
    replaced = error.errno == errno.ELOOP
    hint = "somebody else may write where it lies: use a directory that only you can write to" if replaced else None
    return RootlessError(f"{doing} {path}: {error.strerror}", hint=hint)
