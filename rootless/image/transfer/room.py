"""Whether there is room for an image, asked before the first byte of its layers comes.

Refused is what certainly cannot fit: the compressed layers alone are more than is free, than the user's quota leaves, or there is
no inode for each. What the unpacked files take is not known before; an estimate that does not fit is a warning.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import NamedTuple

from rootless.errors import FileSystemFailed
from rootless.image.progress import Event, Phase, Progress
from rootless.image.transfer.layers import Layer
from rootless.sizes import decimal
from rootless.storage import blobs, disk_errors, file_servers
from rootless.storage.directories import nearest
from rootless.storage.layers import layers
from rootless.storage.store import Store

_UNPACKED = 2.5
"""How much larger the files are than the compressed layer: gzip's usual two to three for a distribution's files."""
_HINT = (
    "`rootless image prune -a` and `rootless system prune` free room, `rootless system df` says how much; ROOTLESS_ROOT, or ROOTLESS_LOCAL "
    "for what is unpacked, names a place with more"
)


class _Room(NamedTuple):
    """What can still be written in a place: bytes and inodes, what bounds each in words, and the file system's number."""

    free: int
    free_words: str
    inodes: int
    inodes_words: str
    device: int


def check(store: Store, wanted: Sequence[Layer], what: str, progress: Progress) -> None:
    """Refuse `what`, an image of these layers, where it cannot fit: FileSystemFailed with what is needed, what is free, where
    and by whose quota. A MESSAGE where it may not."""
    missing = {layer.diff_id: layer for layer in wanted if not layers.has(store, layer.diff_id)}
    sizes = {layer.descriptor.digest: layer.descriptor.size for layer in missing.values()}
    to_come = sum(max(0, size - _there(store, digest)) for digest, size in sizes.items())
    if not to_come and not missing:
        return
    stored, unpacked = _room(store.home), _room(store.root)
    if to_come > stored.free:
        text = f"there is no room for {what}: its layers are {decimal(to_come)} compressed, and {stored.free_words}"
        raise FileSystemFailed(text, hint=_HINT)
    if len(sizes) + len(missing) > min(stored.inodes, unpacked.inodes):
        fewest = min(stored, unpacked, key=lambda room: room.inodes)
        raise FileSystemFailed(f"there is no room for the files of {what}: {fewest.inodes_words}", hint=_HINT)
    estimate = int(sum(sizes.values()) * _UNPACKED)
    together = estimate + (to_come if stored.device == unpacked.device else 0)
    if together > unpacked.free:
        text = f"{what} may not fit: unpacked it is about {decimal(estimate)}, and {unpacked.free_words}"
        progress(Event("", Phase.MESSAGE, text=text))


def _there(store: Store, digest: str) -> int:
    """Bytes of the blob that are stored, whole or as the beginning of a download."""
    for path in (blobs.path(store, digest), blobs.partial_path(store, digest)):
        try:
            return os.stat(path).st_size
        except FileNotFoundError:
            continue
    return 0


def _room(path: str) -> _Room:
    path = nearest(path)
    status = os.statvfs(path)
    where = file_servers.mount_of(path) or path
    # A FUSE server that does not count says that it has no blocks at all.
    free = status.f_bavail * status.f_frsize if status.f_blocks else 1 << 62
    inodes = status.f_favail if status.f_files else 1 << 62  # btrfs and others make them as they are needed
    room = _Room(free, f"{decimal(free)} are free on {where}", inodes, f"{inodes:,} inodes are free on {where}", os.stat(path).st_dev)
    for quota in disk_errors.quotas(path):
        left = quota.bytes_limit - quota.bytes_used
        if quota.bytes_limit and left < room.free:
            words = f"of the quota of your {quota.whose} on {where}, {decimal(quota.bytes_limit)}, {decimal(max(0, left))} are left"
            room = room._replace(free=left, free_words=words)
        left = quota.files_limit - quota.files_used
        if quota.files_limit and left < room.inodes:
            words = f"of the quota of your {quota.whose} on {where}, {quota.files_limit:,} files, {max(0, left):,} are left"
            room = room._replace(inodes=left, inodes_words=words)
    return room
