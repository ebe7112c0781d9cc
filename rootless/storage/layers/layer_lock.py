"""The lock of a layer that is being made. HOT."""

from __future__ import annotations

import fcntl
import os

from rootless.storage.store import Store


class making:
    """While held, nobody else makes the layer `diff_id`: a context manager, the lock's file gone at the end."""

    def __init__(self, store: Store, diff_id: str) -> None:
        self._path = f"{store.layers}/.lock-{diff_id.removeprefix('sha256:')}"
        self._fd = -1

    def __enter__(self) -> None:
        while True:
            fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            fcntl.flock(fd, fcntl.LOCK_EX)
            try:
                if os.stat(self._path).st_ino == os.fstat(fd).st_ino:
                    self._fd = fd
                    return
            except FileNotFoundError:
                pass
            os.close(fd)

    def __exit__(self, *_: object) -> None:
        try:
            os.unlink(self._path)
        except OSError:
            pass
        os.close(self._fd)
