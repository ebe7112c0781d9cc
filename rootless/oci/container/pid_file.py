"""The file of --pid-file."""

from __future__ import annotations

from rootless import atomic
from rootless.errors import RootlessError


def write_pid(path: str, pid: int) -> None:
    """Write the pid file that callers wait for, so that they never read half of it. RootlessError."""
    try:
        atomic.write_bytes(path, str(pid).encode(), durable=False, mode=0o666)
    except OSError as error:
        raise RootlessError(f"cannot write the pid file {path}: {error.strerror}") from None
