"""Where a store's parts lie: all in ROOT, or images there and everything else in a local place.

A network file system takes an image's blobs and records. It refuses files of subordinate ids and what an overlay writes
to, and many a FUSE home does, too. So there ROOT keeps blobs, records, packed directories and volumes, and containers,
unpacked layers, locks and state are in the first local place that an overlay can be made in. What a file system can do is
tried; its number only says that nothing has to be tried (a local one), or must not be (it works until it does not).

Asked by every command: one small file that is not there and one statfs(2) on a local file system, elsewhere the file alone.
Hot path.
"""

from __future__ import annotations

import os

from rootless import atomic
from rootless.errors import NotSupported
from rootless.linux.filesystem import filesystem_type
from rootless.record import TYPE_CHECKING
from rootless.storage import served_mounts
from rootless.storage.directories import VARIABLE, Places, is_private
from rootless.storage.directories import nearest as nearest

if TYPE_CHECKING:
    from typing import Any

_LOCAL = frozenset({"ext4", "xfs", "btrfs", "tmpfs", "zfs", "bcachefs", "f2fs", "overlay", "ramfs"})


def find(root: str, runtime: str) -> Places:
    """Where the parts of the store at `root` are on this machine; tried out once for each RUNTIME and boot, with a line
    on stderr where they are in two places."""
    asked = os.environ.get(VARIABLE, "")
    # First, and without a look at ROOT: whose server does not answer has containers all the same, and they can be stopped.
    found = remembered(root, runtime, asked)
    if found is None:
        if not asked:
            served_mounts.wait(root)
            kind = filesystem_type(nearest(root))
            if kind in _LOCAL:
                return Places(root, root, f"{kind} is a local file system", {})
        from rootless.storage import probe_places

        found = probe_places.choose(root, asked)
        remember(found, runtime, asked)
    return found


def remember(found: Places, runtime: str, asked: str) -> None:
    """Keep the choice for the next commands on this machine."""
    try:
        known = {"root": found.root, "asked": asked, "local": found.local, "why": found.why, "refused": found.refused,
                 "inode": os.lstat(found.local).st_ino if found.local != found.root else 0}  # fmt: skip
        atomic.write_json(record_path(found.root, runtime), known, durable=False)
    except OSError:
        pass  # a full disk: it is tried out again


def record_path(root: str, runtime: str) -> str:
    """Where the choice is remembered: in RUNTIME, which is this machine's, and a job's."""
    return f"{runtime}/places-{root.replace('/', '-')[-100:]}.json"


def remembered(root: str, runtime: str, asked: str) -> Places | None:
    """The choice made before, if its place is still there and ours alone. NotSupported where it is another directory: who has the one above
    it, a container with a bind mount of that, has moved ours away, and says by his own what is run."""
    try:
        known: dict[str, Any] = atomic.read_json(record_path(root, runtime))
        if (known["root"], known["asked"]) != (root, asked):
            return None
        found = Places(root, str(known["local"]), str(known["why"]), dict(known["refused"]))
        inode = known["inode"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if found.local == root:
        return found
    if not is_private(found.local):
        return None
    if os.lstat(found.local).st_ino != inode:
        raise NotSupported(
            f"{found.local} is another directory than it was when this store's containers were put there",
            hint="a container that may write above it can have put it there: then move the right one back, or remove it; "
            f"if you know that it is yours, remove {record_path(root, runtime)}",
        )
    return found
