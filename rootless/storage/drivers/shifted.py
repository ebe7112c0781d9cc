"""A root for a container whose ids are not the session's one to one (--userns=auto, keep-id, nomap).

Layers are stored once, with the session's ids, and shared. A ladder:

    fuse-overlayfs  shows them with other ids: nothing is copied
    directory       a copy of the container's own, given to its ids

An idmapped mount would be better than both; the kernel wants the rights over the file system itself for
one, which a user namespace has over none that a disk is behind. Wants the session joined.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable

from rootless import paths
from rootless.linux.filesystem import chmod_nofollow
from rootless.runtime.mounts.rootfs import Rootfs
from rootless.storage import owner_file
from rootless.storage.drivers.rootfs import prepare
from rootless.storage.remove_tree import remove_tree
from rootless.storage.store import Store

Extents = list[list[int]]
Owners = Callable[[int, int], "tuple[int, int]"]
"""What becomes of a file's uid and gid on their way into a container's numbers or out of them."""
NOBODY = 65534
MARK = "rootfs.shifted"


def prepare_shifted(
    store: Store,
    container_dir: str,
    diff_ids: list[str],
    uid: Extents,
    gid: Extents,
    *,
    readonly: bool = False,
) -> Rootfs:
    """As rootfs.prepare, for a container with the maps `uid` and `gid` ([inside, in the session, count])."""
    asked = os.environ.get("ROOTLESS_STORAGE_DRIVER", "")
    copied = os.path.isdir(container_dir + "/rootfs")
    if (
        not copied
        and asked != "directory"
        and os.access("/dev/fuse", os.R_OK | os.W_OK)
        and paths.find_program("fuse-overlayfs")
    ):
        root = prepare(store, container_dir, diff_ids, readonly=readonly, driver="fuse-overlayfs")
        return root._replace(uid_map=_words(uid), gid_map=_words(gid))
    done = f"{container_dir}/{MARK}"
    if not os.path.exists(done):
        remove_tree(container_dir + "/rootfs")  # of a start that was killed
    root = prepare(store, container_dir, diff_ids, readonly=readonly, driver="directory")
    os.makedirs(container_dir + "/merged", mode=0o700, exist_ok=True)
    if not os.path.exists(done):
        give(root.path, uid, gid)
        os.close(os.open(done, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
    return root._replace(lower=(root.path,), path=container_dir + "/merged")


def _words(extents: Extents) -> str:
    return ":".join(f"{inside}:{outside}:{size}" for inside, outside, size in extents)


def translate(number: int, extents: Extents) -> int:
    """What an id of the image is in the session; one without a number there stays as it is. Pure."""
    for inside, outside, size in extents:
        if inside <= number < inside + size:
            return outside + number - inside
    return number


def into(uid: Extents, gid: Extents) -> Owners:
    """From the numbers that a container with these maps sees to the session's. Pure."""
    return lambda user, group: (translate(user, uid), translate(group, gid))


def out_of(uid: Extents, gid: Extents) -> Owners:
    """From the session's ids to the numbers that the container sees, nobody's for what it has none for. Pure."""

    def shown(number: int, extents: Extents) -> int:
        for inside, outside, size in extents:
            if outside <= number < outside + size:
                return inside + number - outside
        return NOBODY

    return lambda user, group: (shown(user, uid), shown(group, gid))


def is_copy(container_dir: str) -> bool:
    """Whether the container's files lie there with the ids that it was given: the ladder's last rung."""
    return os.path.exists(f"{container_dir}/{MARK}")


def give(path: str, uid: Extents, gid: Extents) -> None:
    """Give a tree with the session's ids (a copy of an image, a volume's first content) to a
    container with these maps. To be done once."""
    seen: set[tuple[int, int]] = set()

    for _, fd, name, status in owner_file.walk(path):
        if status.st_nlink > 1 and not stat.S_ISDIR(status.st_mode):
            if (status.st_dev, status.st_ino) in seen:
                continue  # another name of it came by before
            seen.add((status.st_dev, status.st_ino))
        owner = translate(status.st_uid, uid), translate(status.st_gid, gid)
        os.chown(name, *owner, dir_fd=fd, follow_symlinks=False)
        if not stat.S_ISLNK(status.st_mode) and status.st_mode & (stat.S_ISUID | stat.S_ISGID):
            chmod_nofollow(name, stat.S_IMODE(status.st_mode), dir_fd=fd)
