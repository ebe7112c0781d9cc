"""What can go wrong, by what the caller can do about it.

    RootlessError                 anything a user can cause; one line, maybe a hint
    ├─ InvalidInput               the request makes no sense: change it
    ├─ NotFound                   no such container, image, volume, file
    ├─ Conflict                   the name, port or state is taken: free it or wait
    ├─ NotSupported               this host cannot give it: the hint says who can mend that
    ├─ Corrupt                    data does not match its digest or format: fetch it again
    ├─ Unavailable                a registry or a helper did not answer: try again
    ├─ FileSystemFailed           a file system is full, read-only or gone: the message names it
    ├─ CommandNotExecutable       exit status 126
    └─ CommandNotFound            exit status 127

`linux/` raises OSError; the layer that knows the intention translates it, once. Imported on
the hot path: standard library only, and little of it. Hot path.
"""

from __future__ import annotations

import errno
import os

from rootless.record import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import NoReturn

    from rootless.finding import Finding


class RootlessError(Exception):
    """An error that a user can cause and put right.

    `message` is one line without a full stop, `hint` what to do about it (may have several
    lines), `exit_code` what `run` exits with: 125 unless the command itself was the problem.
    `finding` is the fact about this host behind it, where a diagnosis has found one; its fixes are
    the hint then. Another process gets the hint alone.
    """

    exit_code = 125

    def __init__(self, message: str, *, hint: str | None = None, finding: Finding | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint if finding is None else finding.hint
        self.finding = finding

    def __str__(self) -> str:
        return self.message


class InvalidInput(RootlessError):
    """The request makes no sense; changing it helps."""


class NotFound(RootlessError):
    """What was named does not exist."""


class Conflict(RootlessError):
    """The name, the port or the state is taken."""


class NotSupported(RootlessError):
    """This host cannot give what was asked; the hint says who can mend that and how."""


class Corrupt(RootlessError):
    """Data does not match its digest, size or format."""


class Unavailable(RootlessError):
    """A registry, helper or peer did not answer."""


class FileSystemFailed(RootlessError):
    """A file system has no room, allows no more, is read-only or gone. The message says which (storage/disk_errors.py)."""


class CommandNotExecutable(RootlessError):
    """The container's command exists but cannot be run."""

    exit_code = 126


class CommandNotFound(RootlessError):
    """The container's command does not exist."""

    exit_code = 127


FROM_DATA: tuple[type[Exception], ...] = (
    ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError,
)  # fmt: skip
"""What Python raises where data is not what it is taken for: a number too large, a key that is not there, a
text that is none, lists in lists. Bases, not the names of what has been seen: the next one is another."""
FAILURES: tuple[type[Exception], ...] = (OSError, ImportError, RootlessError, *FROM_DATA)
"""The failures that a process of a launch reports to the one that waits for it."""
DISK_ERRORS = (
    errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.ESTALE, errno.EIO, errno.ENOTCONN, errno.ECONNABORTED,
)  # fmt: skip
"""What the kernel says where a file system has failed. The last two: a FUSE file system without its server."""


KINDS: dict[str, type[RootlessError]] = {
    kind.__name__: kind
    for kind in (
        RootlessError,
        InvalidInput,
        NotFound,
        Conflict,
        NotSupported,
        Corrupt,
        Unavailable,
        FileSystemFailed,
        CommandNotExecutable,
        CommandNotFound,
    )
}


def hint_for(error: BaseException) -> str | None:
    """What can be done about an error of the kernel's, wherever it comes from."""
    if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE):
        return "raise the limit of open files: `ulimit -n 1024`"
    return None


def disk_cause(error: BaseException | None) -> OSError | None:
    """The error of a file system that `error` is or comes from, where no message names the file system as yet."""
    for _ in range(16):
        if error is None or isinstance(error, FileSystemFailed):
            return None
        if isinstance(error, OSError) and error.errno in DISK_ERRORS:
            return error
        error = error.__cause__
    return None


_LONGEST = 2000
"""Characters of a message that crosses: some 12 bytes each at worst, and a packet has 64 KiB."""


def _bounded(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 500]} ... {text[-400:]}"


def to_data(error: BaseException, *, step: str = "") -> dict[str, str | int | None]:
    """The error as plain data, to cross a process boundary; see `raise_data`."""
    cause = disk_cause(error)
    if isinstance(error, RootlessError):
        return {
            "kind": type(error).__name__,
            "message": _bounded(error.message),
            "hint": None if error.hint is None else _bounded(error.hint),
            "errno": None if cause is None else cause.errno,
            "step": step,
            "path": path_of(cause),
        }
    where = f"{step}: " if step else ""
    number = error.errno if isinstance(error, OSError) else None
    return {
        "kind": "RootlessError",
        "message": _bounded(f"{where}{_words(error)}"),
        "hint": hint_for(error),
        "errno": number,
        "step": step,
        "path": path_of(cause),
    }


def path_of(error: OSError | None) -> str:
    """The file that the error is about, by its absolute path; "" where that is not known: a name may be one in a directory
    that a call was given as a descriptor."""
    name = error.filename if error is not None else None
    path = os.fsdecode(name) if isinstance(name, (str, bytes)) else ""
    if path.startswith("/proc/self/fd/"):
        try:
            path = os.readlink(path)
        except OSError:
            return ""  # closed since
    return path if path.startswith("/") else ""


def _words(error: BaseException) -> str:
    """An error without words of ours: the kernel's, without its number; a descriptor's name means nothing to a user."""
    if not isinstance(error, OSError) or not error.strerror:
        return str(error) or type(error).__name__
    name = str(error.filename or "")
    if not name or name.startswith("/proc/self/fd/"):
        return error.strerror
    return f"{error.strerror}: {name}"


def raise_data(data: dict[str, str | int | None]) -> NoReturn:
    """Raise what `to_data` described in another process, as the same class."""
    kind = KINDS.get(str(data.get("kind")), RootlessError)
    hint = data.get("hint")
    number, path = data.get("errno"), data.get("path")
    cause = OSError(number, os.strerror(number), path or None) if isinstance(number, int) and number in DISK_ERRORS else None
    raise kind(str(data.get("message")), hint=None if hint is None else str(hint)) from cause
