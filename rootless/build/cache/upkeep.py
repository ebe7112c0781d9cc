"""After a build: what it made reaches the disk, and the cache is brought back to its budget.

In a process of its own, for it may take seconds and nobody waits for it. Where it is killed nothing is lost: a layer
that did not reach the disk counts as doubtful after the next boot, and the next build does it.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from rootless import inherited, sizes
from rootless.build.cache import digests
from rootless.errors import FAILURES, InvalidInput
from rootless.runtime.descriptors import keep_only
from rootless.storage.layers import layers
from rootless.storage.store import Store

if TYPE_CHECKING:
    from rootless.build.cache.usage import Entry

VARIABLE = "ROOTLESS_BUILD_CACHE"
_SHARE, _MOST = 10, 20 << 30
_DIGESTS_S = 60 * 86_400


def budget(store: Store) -> int:
    """Bytes that the cache may have: $ROOTLESS_BUILD_CACHE (`20g`), else a tenth of the disk, at most 20 GiB."""
    word = os.environ.get(VARIABLE, "")
    if word:
        found = sizes.parse(word)
        if found is None:
            raise InvalidInput(f"{VARIABLE}={word[:40]} is no size", hint="write a number of bytes, or 20g")
        return found
    status = os.statvfs(store.root)
    return min(_MOST, status.f_blocks * status.f_frsize // _SHARE)


def in_background(store: Store) -> None:
    """Do it in a process that nobody waits for; the caller is single-threaded, in the session, and holds no lease."""
    pid = os.fork()
    if pid:
        os.waitpid(pid, 0)
        return
    try:
        if os.fork() == 0:
            _detach()
            keep(store)
    except FAILURES:
        pass  # the next build tries again; `builder prune` says why
    finally:
        os._exit(0)


def _detach() -> None:
    os.setsid()
    inherited.leave_streams()
    keep_only(())
    os.nice(10)


def keep(store: Store) -> list[Entry]:
    """Bring the layers to the disk and the cache to its budget; what went."""
    import time

    from rootless.build.cache import prune

    layers.sync(store)
    digests.forget_unused(store, time.time() - _DIGESTS_S)
    return prune.prune(store, prune.Filters(keep_bytes=budget(store)))
