"""Who removes a container: the first, and whoever comes then hears that it is under way.

A lock (flock) on the container's directory itself, which goes with it when it is renamed away.
"""

from __future__ import annotations

import fcntl
import os

from rootless.errors import Conflict
from rootless.storage.containers import containers
from rootless.storage.store import Store

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def begin(store: Store, container_id: str) -> containers.Lock:
    """Say that this process removes the container, until the result is released. Conflict, in moby's words, where another
    one does; what is not there any more is not looked for."""
    try:
        fd = os.open(containers.directory(store, container_id), _DIRECTORY)
    except FileNotFoundError:
        return containers.Lock(-1)
    _lock(fd, container_id)
    return containers.Lock(fd)


def refuse_under_way(store: Store, word: str) -> None:
    """Conflict where the container whose id begins with `word` is gone for everybody, and its files are being deleted."""
    if not word or not set(word) <= set("0123456789abcdef"):
        return
    for entry in os.listdir(store.containers):
        if entry.startswith(f".rm-{word}"):
            try:
                fd = os.open(f"{store.containers}/{entry}", _DIRECTORY)
            except FileNotFoundError:
                continue
            _lock(fd, word)
            os.close(fd)


def _lock(fd: int, container: str) -> None:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        raise Conflict(f"removal of container {container} is already in progress", hint="it is gone in a moment") from None
