"""Mounts of a part of a volume, and of images: what a step finds only in the container's mount namespace.

Whatever else has the volume may change its links at any moment, and an image chose its own: a part is
resolved with the top as "/", and mounted by the descriptor that was found. Imported where one is asked for.
"""

from __future__ import annotations

import errno
import os
import stat

from rootless.errors import InvalidInput
from rootless.linux import mount as m
from rootless.record import TYPE_CHECKING, Record
from rootless.runtime.mounting import attach, set_attributes
from rootless.runtime.mounts.bind import EXACT, Bind, open_exact
from rootless.runtime.mounts.rootfs import Rootfs, mount_root
from rootless.runtime.rootfs_path import mount_target, open_in_root
from rootless.runtime.squashfs.header import ImageFile

if TYPE_CHECKING:
    from typing import Any

    from rootless.runtime.mounts.mount_options import MountOptions
    from rootless.runtime.mounts.steps import Step

SUBPATH = "io.rootless.subpath"
"""In a mount of our OCI configurations: what below its source is meant."""
IMAGE = "io.rootless.image"
"""A mount's type: `lower`, layers' directories, topmost first."""

IMAGE_FILE = "io.rootless.image-file"
"""A mount's type: `source`, a file with a squashfs in it, that begins at `offset`, or where its header says (None)."""

IMAGE_FILE = "io.rootless.image-file"
"""A mount's type: `source`, a file with a squashfs in it, that begins at `offset`, or where its header says (None)."""

_TOP = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC


class Part(Record):
    """A file or directory below `host_path`, below which nothing is believed."""

    host_path: str
    subpath: str
    guest_path: str
    options: MountOptions
    exact: bool = False  # as a Bind's

    def describe(self) -> str:
        return f"bind {self.subpath} of {self.host_path} to {self.guest_path}"

    def apply(self, root_fd: int) -> None:
        top = open_exact(self.host_path) if self.exact else os.open(self.host_path, _TOP)
        try:
            part = _below(top, self.subpath, recursive=self.options.recursive)
        finally:
            os.close(top)
        try:
            set_attributes(part, propagation=self.options.propagation or m.MS_PRIVATE, recursive=True)
            if self.options.recursive_attr:
                set_attributes(part, attr=self.options.recursive_attr, recursive=True)
            if self.options.attr or self.options.clear_attr:
                set_attributes(part, attr=self.options.attr, clear=self.options.clear_attr)
            attach(part, root_fd, self.guest_path, directory=stat.S_ISDIR(os.fstat(part).st_mode))
        finally:
            os.close(part)


class ImageMount(Record):
    """An image's files, read-only: an overlay of its layers, or a part of it."""

    lower: tuple[str, ...]
    subpath: str
    guest_path: str

    def describe(self) -> str:
        return f"mount an image at {self.guest_path}"

    def apply(self, root_fd: int) -> None:
        where = mount_target(root_fd, self.guest_path, directory=True)
        try:
            path = f"/proc/self/fd/{where}"
            driver = "overlay" if len(self.lower) > 1 else "directory"  # which needs two, or an upper
            os.close(mount_root(Rootfs(driver, self.lower, "", "", path, readonly=True)))
        finally:
            os.close(where)
        top = mount_target(root_fd, self.guest_path, directory=True)
        try:
            set_attributes(top, attr=m.MOUNT_ATTR_RDONLY | m.MOUNT_ATTR_NODEV, propagation=m.MS_PRIVATE)
            if not self.subpath:
                return
            part = _below(top, self.subpath, recursive=False)
            m.umount2(f"/proc/self/fd/{top}", m.MNT_DETACH)
        finally:
            os.close(top)
        try:
            if not stat.S_ISDIR(os.fstat(part).st_mode):
                raise InvalidInput(f"{self.subpath} of the image is no directory")
            attach(part, root_fd, self.guest_path, directory=True)
        finally:
            os.close(part)


def _below(top: int, subpath: str, *, recursive: bool) -> int:
    """A detached mount of what `subpath` is below `top`."""
    try:
        found = open_in_root(top, subpath)
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
            raise
        raise InvalidInput(f"cannot access path {subpath}: {os.strerror(error.errno).lower()}") from None
    try:
        flags = m.OPEN_TREE_CLONE | m.AT_EMPTY_PATH | (m.AT_RECURSIVE if recursive else 0)
        return m.open_tree(found, "", flags)
    finally:
        os.close(found)


def of(entry: dict[str, Any], options: MountOptions) -> Step:
    """The step for a mount of our configuration that has SUBPATH, whatever its type."""
    if entry.get("type") in ("io.rootless.tree", "io.rootless.file"):
        from rootless.runtime.mounts import build_mounts

        return build_mounts.of(entry, entry[SUBPATH])
    if entry.get("type") == IMAGE_FILE:
        image = ImageFile(entry["source"], bool(entry.get(EXACT)), entry.get("offset"))
        return Bind(entry["source"], entry["destination"], options, image=image)
    if entry.get("type") == IMAGE:
        return ImageMount(tuple(entry["lower"]), entry[SUBPATH], entry["destination"])
    return Part(entry["source"], entry[SUBPATH], entry["destination"], options, exact=bool(entry.get(EXACT)))
