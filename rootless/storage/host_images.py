"""Which images lie over the machine's own files: `host`, and what was committed of its containers.

A file of the store's says so, never the image: a foreign one could otherwise have this machine's files for a root. Hot path.
"""

from __future__ import annotations

import os

from rootless.record import TYPE_CHECKING
from rootless.storage.directories import make_directory
from rootless.storage.store import Store

if TYPE_CHECKING:
    from typing import Any

LABEL = "io.rootless.base"
"""In the configuration of such an image, for those who look at it: "host"."""


def is_one(store: Store, image_id: str) -> bool:
    """Whether this store made the image over the machine's files."""
    return os.path.exists(_mark(store, image_id))


def is_anothers(store: Store, image_id: str, config: dict[str, Any]) -> bool:
    """Whether it is another machine's `host`, in a store that several machines have, and no image of the user's own."""
    labels = (config.get("config") or {}).get("Labels") or {}
    return labels.get(LABEL) == "host" and not is_one(store, image_id)


def mark(store: Store, image_id: str) -> None:
    """The image was made here, over the machine's files. Durable; idempotent."""
    make_directory(os.path.dirname(_mark(store, image_id)))
    fd = os.open(_mark(store, image_id), os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _mark(store: Store, image_id: str) -> str:
    return f"{store.root}/host-images/{image_id.removeprefix('sha256:')}"
