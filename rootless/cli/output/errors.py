"""Lines for errors that no layer below could put better: what the kernel refused, and our own defects."""

from __future__ import annotations

import errno
import os
import shlex

from rootless import paths
from rootless.errors import FileSystemFailed, NotSupported, RootlessError, hint_for
from rootless.storage import disk_errors, file_servers


def translate(error: OSError) -> RootlessError:
    """`error` as a RootlessError that says what, where and what to do."""
    place = _place(error)
    told = disk_errors.explain(error)
    if told is not None:
        return FileSystemFailed(f"{told.what}{place}", hint=told.hint)
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        what = "the disk quota is used up" if error.errno == errno.EDQUOT else "no space left on the device"
        return NotSupported(
            f"{what}{place}",
            hint="`rootless system df` shows what is used, `rootless system prune` frees what is not needed",
        )
    if error.errno == errno.EROFS:
        return NotSupported(
            f"the file system is read-only{place}",
            hint=f"the data is in {paths.data_root()}; --root DIRECTORY or ROOTLESS_ROOT names another place",
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        remedy = file_servers.refusing(error)
        if remedy is None and str(error.filename).startswith(paths.data_root() + "/"):
            remedy = f"the data is in {paths.data_root()}; --root DIRECTORY or ROOTLESS_ROOT names another place"
        return NotSupported(f"permission denied{place}", hint=remedy)
    if error.errno in (errno.EMFILE, errno.ENFILE):
        return NotSupported("too many open files", hint=hint_for(error))
    if error.errno == errno.EFBIG:
        return NotSupported(f"a file would become larger than this process may write{place}", hint="raise the limit: `ulimit -f unlimited`")
    if error.errno == errno.EAGAIN:
        return NotSupported(
            f"the host is short of processes or memory{place}",
            hint="`ulimit -u` is how many processes and threads you may have, `ps -Lu $USER | wc -l` how many there are; a login "
            "(TasksMax) or a batch job may have fewer: end some, or have the limit raised",
        )
    if error.errno == errno.ENOMEM:
        hint = "`free -h` shows what is left; `ulimit -v` and a batch job may limit it"
        return NotSupported(f"the host is short of memory{place}", hint=hint)
    return RootlessError(
        f"{_lower(error.strerror or str(error))}{place}",
        hint="`rootless --debug ...` shows where this came from",
    )


def defect(error: Exception, words: list[str]) -> tuple[str, str]:
    """Message and hint for an exception that no user can cause."""
    text = " ".join(str(error).split())
    command = shlex.join(["rootless", "--debug", *words])
    return (
        f"internal error: {type(error).__name__}{': ' + text if text else ''}",
        f"this is a defect of rootless, please report it with the output of\n{command}",
    )


def _place(error: OSError) -> str:
    names = [
        os.fsdecode(name) for name in (error.filename, error.filename2) if isinstance(name, (str, bytes))
    ]
    return ": " + " -> ".join(names) if names else ""


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]
