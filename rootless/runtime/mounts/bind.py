"""A bind mount of the host's files. Hot path."""

from __future__ import annotations

import errno
import os
import stat

from rootless.errors import InvalidInput
from rootless.linux import mount as m
from rootless.linux.openat2 import open_without_links
from rootless.record import TYPE_CHECKING, Record
from rootless.runtime.mounting import attach, set_attributes
from rootless.runtime.mounts import refusals

if TYPE_CHECKING:
    from rootless.runtime.mounts.idmap import MountIdMap
    from rootless.runtime.mounts.mount_options import MountOptions
    from rootless.runtime.squashfs.header import ImageFile

EXACT = "io.rootless.exact"
"""In a bind mount of our OCI configurations: its source has no links, and none is followed."""


class Bind(Record):
    """A host's file or directory, with the mounts below it if `options.recursive`."""

    host_path: str
    guest_path: str
    options: MountOptions
    fd: int = -1  # the source, opened by a process that may see it where the init may not; -1: by path
    idmap: MountIdMap | None = None
    exact: bool = False  # `host_path` was resolved: a link in it now was put there since, and is not followed
    image: ImageFile | None = None  # what is mounted is the squashfs in it, which `open` borrows for this process's life

    def describe(self) -> str:
        return f"bind {self.host_path} to {self.guest_path}"

    def apply(self, root_fd: int) -> None:
        fd = self.open() if self.fd < 0 else self.fd
        try:
            attach(fd, root_fd, self.guest_path, directory=stat.S_ISDIR(os.fstat(fd).st_mode))
        except NotADirectoryError:
            raise refusals.not_a_directory(self.host_path, self.guest_path) from None
        finally:
            os.close(fd)

    def open(self) -> int:
        """The detached mount, with all that is asked of it; the caller's."""
        if self.image is not None:
            from rootless.runtime.squashfs import connect

            return connect.borrow(self.image).mount
        options = self.options
        if self.idmap is not None and self.idmap.fd < 0:
            raise self.idmap.refused("its file system belongs to another user namespace")
        flags = m.OPEN_TREE_CLONE | (m.AT_RECURSIVE if options.recursive else 0)
        try:
            fd = self._open_tree(flags)
        except FileNotFoundError:
            raise InvalidInput(
                f'invalid mount config for type "bind": bind source path does not exist: {self.host_path}'
            ) from None
        except OSError as error:
            if error.errno != errno.EINVAL or options.recursive:
                raise
            # Mounts below it that came from a more privileged namespace are locked to it.
            raise InvalidInput(
                f"{self.host_path} has mounts below it that cannot be left out",
                hint="bind it recursively (rbind), or bind a directory below it",
            ) from None
        try:
            # Private unless asked otherwise, as Docker: nothing mounted later on one side shows
            # on the other.
            set_attributes(fd, propagation=options.propagation or m.MS_PRIVATE, recursive=True)
            if options.recursive_attr or options.recursive_clear_attr:
                more, less = options.recursive_attr, options.recursive_clear_attr
                set_attributes(fd, attr=more, clear=less, recursive=True)
            if options.attr or options.clear_attr:
                set_attributes(fd, attr=options.attr, clear=options.clear_attr)
            if self.idmap is not None:
                self.idmap.apply(fd)
        except BaseException:
            os.close(fd)
            raise
        return fd

    def _open_tree(self, flags: int) -> int:
        if not self.exact:
            return m.open_tree(m.AT_FDCWD, self.host_path, flags)
        source = open_exact(self.host_path)
        try:
            return m.open_tree(source, "", flags | m.AT_EMPTY_PATH)
        finally:
            os.close(source)


def open_exact(path: str) -> int:
    """An O_PATH descriptor of a source that was resolved; InvalidInput where a link is in its path by now."""
    try:
        return open_without_links(path)
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        raise InvalidInput(
            f"bind source path {path} was replaced by a symbolic link while the container was started",
            hint="somebody else may write where it lies: use a directory that only you can write to",
        ) from None
