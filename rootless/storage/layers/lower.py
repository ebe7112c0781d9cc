"""Which directories an image's layers are, as an overlay takes them. Hot path."""

from __future__ import annotations

import os

from rootless.errors import Corrupt, NotFound
from rootless.linux.process import boot_id
from rootless.storage.layers.layers import directory as layer_directory
from rootless.storage.layers.layers import is_synced
from rootless.storage.store import Store


def lower_directories(store: Store, diff_ids: tuple[str, ...] | list[str]) -> list[str]:
    """The layers' directories, topmost first, as far down as anything shows; NotFound, Corrupt.

    A layer that an image has several times (BuildKit's empty ones, mostly) counts where it is highest: all
    that it adds and hides it adds and hides there again, so nothing of the lower one is seen. The kernel
    takes a directory only once.
    """
    booted = boot_id()
    lower: list[str] = []
    seen: set[str] = set()
    for diff_id in reversed(diff_ids):
        if diff_id in seen:
            continue
        seen.add(diff_id)
        layer = layer_directory(store, diff_id)
        lower.append(layer + "/fs")
        if not is_synced(layer, booted):
            if not os.path.isdir(layer):
                raise NotFound(f"layer {diff_id[:19]} is missing", hint="`rootless pull` the image again")
            raise Corrupt(
                f"layer {diff_id[:19]} was not written out before the machine went down",
                hint="`rootless pull` the image again",
            )
        try:
            # overlayfs does not look at the top of a lower directory for this.
            if os.getxattr(lower[-1], "user.overlay.opaque") == b"y":
                break
        except OSError:
            pass
    return lower
