"""The files of a stage, or of an image: a read-only view of its layers, which nobody else sees."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from rootless.runtime.mounts.rootfs import Rootfs, mounted
from rootless.storage import staging
from rootless.storage.drivers import rootfs
from rootless.storage.layers import steps
from rootless.storage.store import Store


@contextmanager
def view(store: Store, layers: list[str] | tuple[str, ...]) -> Iterator[int]:
    """A descriptor of the root directory that `layers` (bottom first, diff ids and steps) make together.

    The caller has joined the session and is single-threaded; the mount is in a namespace that goes with the descriptor.
    """
    with staging.directory(store, "stage") as aside:
        # No step becomes a layer, in another place, before it is mounted.
        with steps.Mounting(store):
            root = _root(store, list(layers), aside)
            view = mounted(root)
            fd = view.__enter__()
        try:
            yield fd
        finally:
            view.__exit__(None, None, None)


def _root(store: Store, layers: list[str], aside: str) -> Rootfs:
    lower = rootfs.lower_directories(store, layers)
    if not lower:
        lower = [aside + "/lower"]
        os.mkdir(lower[0], 0o755)
    merged = aside + "/merged"
    os.mkdir(merged, 0o700)
    if len(lower) == 1:
        return Rootfs("directory", tuple(lower), "", "", merged, readonly=True)
    driver = rootfs.probe(store)
    if driver == "directory":
        # A copy of them all: what the kernel cannot show together.
        return rootfs.prepare(store, aside, layers, readonly=True)
    return Rootfs(driver, tuple(lower), "", "", merged, readonly=True)
