"""Locks that are files beside what they guard, and go when nobody wants them: of a layer that is being made.
Hot path."""

from __future__ import annotations

import fcntl
import os

from rootless.record import TYPE_CHECKING
from rootless.storage.store import Store

if TYPE_CHECKING:
    from typing import Any


class held:
    """The exclusive lock that the file `path` is, made and removed here: a context manager. Waits for it."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._fd = -1

    def __enter__(self) -> Any:
        while True:
            fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            fcntl.flock(fd, fcntl.LOCK_EX)
            try:
                if os.stat(self._path).st_ino == os.fstat(fd).st_ino:
                    self._fd = fd
                    return self
            except FileNotFoundError:
                pass
            os.close(fd)

    def __exit__(self, *_: object) -> None:
        try:
            os.unlink(self._path)
        except OSError:
            pass
        os.close(self._fd)


def making(store: Store, diff_id: str) -> held:
    """While held, nobody else makes the layer `diff_id`."""
    return held(f"{store.layers}/.lock-{diff_id.removeprefix('sha256:')}")
