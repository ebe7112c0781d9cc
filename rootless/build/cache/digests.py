"""Digests of what a copy takes out of a stage or an image: computed once, for its files never change.

    build/digests/<hex>     the digest, named by the hash of what was asked: layers, patterns, owners, modes

Without them every cached COPY --from would walk through the stage that it copies from.
"""

from __future__ import annotations

import os

from rootless import atomic
from rootless.storage.store import Store, make_directory


def _directory(store: Store) -> str:
    return f"{store.root}/build/digests"


def read(store: Store, question: str) -> str:
    """The digest, "" where it is not known. `question` is a hash in hexadecimal."""
    try:
        found = atomic.read_bytes(f"{_directory(store)}/{question}").decode("ascii", "replace")
    except OSError:
        return ""
    return found if len(found) == 64 else ""


def write(store: Store, question: str, digest: str) -> None:
    """Remember it; where there is no room it is computed again."""
    try:
        make_directory(_directory(store))
        atomic.write_bytes(f"{_directory(store)}/{question}", digest.encode(), durable=False)
    except OSError:
        pass


def forget_unused(store: Store, before: float) -> None:
    """Delete those that are older than `before` (seconds since the epoch)."""
    try:
        names = os.listdir(_directory(store))
    except FileNotFoundError:
        return
    for name in names:
        path = f"{_directory(store)}/{name}"
        try:
            if os.stat(path).st_mtime < before:
                os.unlink(path)
        except FileNotFoundError:
            continue
