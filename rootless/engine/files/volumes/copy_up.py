"""A volume used for the first time gets what the image has at its place, as Docker does it."""

from __future__ import annotations

import fcntl
import os

from rootless.engine.files import copy_tree
from rootless.engine.files.copy_end import Place
from rootless.engine.files.copy_tree import Policy
from rootless.engine.options.mounts import Mount
from rootless.engine.state.user_namespace import IdMap
from rootless.runtime.mounts.rootfs import Rootfs, mounted
from rootless.storage import volumes
from rootless.storage.store import Store

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


def unused(store: Store, mounts: list[Mount]) -> list[str]:
    """The directories of those volumes that nothing has been put into yet."""
    paths = [volumes.find(store, mount["volume"]).path for mount in mounts]
    return [path for path in paths if _is_unused(path)]


def fill(store: Store, mounts: list[Mount], root: Rootfs, given: IdMap | None = None) -> None:
    """Copy the image's files into those of the volumes that are still empty; wants the session joined.

    `given`: the root is a copy that belongs to a container with these ids; the volume gets the image's owners.

    A volume being filled is locked; one that a kill left half filled has a mark beside it, and is
    emptied and filled again.
    """
    empty = [mount for mount in mounts if _is_unused(volumes.find(store, mount["volume"]).path)]
    if not empty:
        return
    with mounted(root) as root_fd:
        for mount in empty:
            _fill_one(volumes.find(store, mount["volume"]).path, Place(root_fd, given), mount["target"])


def _is_unused(path: str) -> bool:
    return not os.listdir(path) or os.path.exists(_mark(path))


def _mark(path: str) -> str:
    return os.path.join(os.path.dirname(path), "filling")


def _fill_one(path: str, image: Place, target: str) -> None:
    try:
        source = image.open(target, os.O_RDONLY | os.O_DIRECTORY)
    except (FileNotFoundError, NotADirectoryError):
        return  # nothing there: the volume stays empty, and root's
    lock = os.open(os.path.dirname(path), _DIRECTORY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _is_unused(path):
            return
        volume = os.open(path, _DIRECTORY)
        try:
            os.close(os.open(_mark(path), os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600))
            _empty(path)
            copy_tree.contents(source, volume, Policy(None, special_bits=True, kept=image.out_of))
            status = os.fstat(source)
            owner = status.st_uid, status.st_gid
            os.fchown(volume, *(image.out_of(*owner) if image.out_of else owner))
            os.fchmod(volume, status.st_mode & 0o7777)
            os.unlink(_mark(path))
        finally:
            os.close(volume)
    finally:
        os.close(lock)
        os.close(source)


def _empty(path: str) -> None:
    from rootless.storage.remove_tree import remove_tree

    for name in os.listdir(path):
        remove_tree(f"{path}/{name}")
