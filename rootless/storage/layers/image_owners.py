"""Whose the files of a container are, by its image: where no id here is their owner's (layer_owners.py).

A file or directory says itself whose it is (runtime/owner_record.py), so that one that is made anew in a container, at a path
that the image has for somebody else, is its maker's. Links and pipes cannot: they are told by their type and time, where the
container has no records of them. Wants the session joined.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Sequence

from rootless.linux.openat2 import RESOLVE_BENEATH, RESOLVE_NO_SYMLINKS, openat2
from rootless.record import TYPE_CHECKING
from rootless.runtime import owner_record
from rootless.storage import owner_file
from rootless.storage.layers import layer_owners, layers
from rootless.storage.layers.attributes import RealIds
from rootless.storage.owner_file import LinkOwners, Owners
from rootless.storage.store import Store

if TYPE_CHECKING:
    from tarfile import TarInfo


def of_links(store: Store, diff_ids: Sequence[str], container_dir: str = "") -> list[tuple[str, Owners]]:
    """Trees with the owners of links in them, by path, as owner_file.prepare wants them: the layers (bottom first), or the
    container's copy of them."""
    found = [(layers.path(store, each), layer_owners.read_links(layers.directory(store, each))) for each in diff_ids]
    copy = container_dir + "/rootfs"
    if not container_dir or not os.path.isdir(copy):
        return [(tree, owners) for tree, owners in found if owners]
    merged: dict[str, Sequence[int]] = {}
    for tree, owners in found:
        hidden = owner_file.unattributed(tree, merged) if merged else {}
        merged = {**{path: ids for path, ids in merged.items() if path not in hidden}, **owners}
    return [(copy, merged)] if merged else []


class ImageOwners:
    """The owners that an image gives to files which have no id here, for who writes a container's files. `diff_ids`: bottom
    first."""

    def __init__(self, store: Store, diff_ids: Sequence[str]) -> None:
        self._layers = [(layers.path(store, each), layer_owners.read(layers.directory(store, each))) for each in reversed(diff_ids)]

    def owner(self, path: str, is_same: Callable[[os.stat_result], bool], said: str, *, links: bool) -> Sequence[int] | None:
        """Whose the file at `path` of a container is, by the image; None: whoever the kernel says. `is_same`: whether it may
        be the image's file, which has this status; `said`: what it says itself; `links`: whether links are told by the image."""
        if not any(path in owners for _, owners in self._layers):
            return None
        for tree, owners in self._layers:
            found = _look(tree, path)
            if found is None:
                continue
            status, by_image = found
            if path not in owners or not is_same(status) or (by_image and by_image != said):
                return None
            return owners[path] if links or stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode) else None
        return None


class Whose:
    """Who owns the files that are written to a tar stream. `owners`: of a layer by path, of a container by its image; `links`:
    what the container has kept, None: all that a file says is believed."""

    def __init__(self, owners: Owners | ImageOwners | None, links: LinkOwners | None) -> None:
        self._image = owners if isinstance(owners, ImageOwners) else None
        self._layer: Owners = {} if owners is None or isinstance(owners, ImageOwners) else owners
        self._believes = links is None or links.kept
        self._links = links is None or not links.complete
        self._here: RealIds | None = None
        self.doubted = 0
        """How many files say that they are an id's that exists here, and are not believed."""

    def owner(self, info: TarInfo, path: str, said: str, by_kernel: tuple[int, int]) -> tuple[int, int]:
        """The uid and gid of the file at `path`, of which `info` is, which says that it is `said`'s.

        A user whose ids are real may write into his files what he likes, and have root own them afterwards: what such a
        file says counts where neither is an id here, so that none of the container's users can become its owner.
        """
        named = owner_record.decode(said, info.uid, info.gid)
        if named is not None:
            if self._believes or not self._exists(named):
                return named
            self.doubted += any(named)
        owner = self._layer.get(path)
        if self._image is not None:
            owner = self._image.owner(path, lambda status: _may_be(info, status), said, links=self._links)
        if owner is not None and by_kernel[0] in (0, owner[0]) and by_kernel[1] in (0, owner[1]):
            return owner[0], owner[1]
        return by_kernel

    def _exists(self, owner: tuple[int, int]) -> bool:
        if self._here is None:
            self._here = RealIds()
        return self._here.named_by(owner)


def _may_be(info: TarInfo, status: os.stat_result) -> bool:
    """Whether a file of which `info` is may be the one that has this status: of a link or pipe, the time tells it from one that
    was made anew."""
    if stat.S_ISDIR(status.st_mode) or stat.S_ISREG(status.st_mode):
        return info.isdir() if stat.S_ISDIR(status.st_mode) else info.isreg()
    same = info.issym() if stat.S_ISLNK(status.st_mode) else stat.S_ISFIFO(status.st_mode) and info.isfifo()
    whole, nanoseconds = divmod(status.st_mtime_ns, 1_000_000_000)
    return same and info.mtime == whole and (not nanoseconds or info.pax_headers.get("mtime", "").endswith(f".{nanoseconds:09d}"))


def _look(tree: str, path: str) -> tuple[os.stat_result, str] | None:
    """The status of what a layer has at this path, in which no link is followed, and what it says of its owner."""
    above, _, name = path.rpartition("/")
    try:
        top = os.open(tree, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fd = openat2(top, above or ".", os.O_PATH | os.O_DIRECTORY, resolve=RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS)
        finally:
            os.close(top)
    except OSError:
        return None
    try:
        status = os.stat(name or ".", dir_fd=fd, follow_symlinks=False)
        return status, layer_owners.attribute(fd, name or ".")
    except OSError:
        return None
    finally:
        os.close(fd)
