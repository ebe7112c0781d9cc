"""The file of --pid-file."""

from __future__ import annotations

import os

from rootless.errors import RootlessError


def write_pid(path: str, pid: int) -> None:
    """Write the pid file that callers wait for, aside and renamed, so that they never read half of it."""
    aside = f"{path}.{os.getpid()}"
    try:
        with open(aside, "w") as file:
            file.write(str(pid))
        os.rename(aside, path)
    except OSError as error:
        raise RootlessError(f"cannot write the pid file {path}: {error.strerror}") from None
