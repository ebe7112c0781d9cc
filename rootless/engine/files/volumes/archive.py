"""`volume export` and `volume import`, in Podman's words: what is in a volume as a tar archive, and back."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import ExitStack
from typing import IO

from rootless.engine.files import copy_tree
from rootless.engine.files.copy_tree import Policy
from rootless.engine.files.entry import DIRECTORY, FileEntry
from rootless.engine.files.tar_stream import unpacked
from rootless.engine.files.volumes import options
from rootless.errors import Conflict, NotSupported
from rootless.linux.filesystem import RENAME_NOREPLACE, renameat2
from rootless.linux.rlimit import many_descriptors
from rootless.storage import volumes
from rootless.storage.layers import recorded, write_tar
from rootless.storage.owner_file import LinkOwners
from rootless.storage.store import Store
from rootless.storage.volumes import Volume

_UNTOUCHED = (0, 0, 0o700)


def export_to(store: Store, name: str, out: write_tar.Sink) -> int:
    """Write what is in the volume `name`; NotFound. How many files of root's say that they are somebody's who exists here: whether
    emulated ids wrote that is not known, and they are written as root's. Wants the session joined."""
    fd = open_data(volumes.find(store, name))
    try:
        return write_tar.write_tree(fd, out, links=LinkOwners({}))
    finally:
        os.close(fd)


def import_from(store: Store, name: str, stream: IO[bytes]) -> None:
    """Put what the archive holds, plain or compressed, into the volume `name`: into its directories, in the
    place of its files. NotFound; Corrupt, and nothing has changed, for a broken archive; Conflict where a
    directory would replace a file or the other way round. Wants the session joined.

    Where the volume is a directory of the host by another name, the directory itself stays as it is, and
    nothing in it lends our rights to others by set-user-id: the archive may be anybody's."""
    found = volumes.find(store, name)
    ours = not found.options
    volume = open_data(found)
    try:
        with unpacked(store, stream, special_bits=ours) as source, many_descriptors():
            try:
                _move(source, volume)
            except OSError as error:
                if error.errno not in (errno.EXDEV, errno.EINVAL, errno.ENOSYS):
                    raise
                # A directory of another file system, or one that renames otherwise.
                copy_tree.contents(source, volume, Policy(None, special_bits=ours))
            top = os.fstat(source)
            owner = recorded.Reader().owner(source, top)
            if ours and (*owner, stat.S_IMODE(top.st_mode)) != _UNTOUCHED:  # the archive has a word on it
                recorded.Giver().give(volume, owner)
                os.fchmod(volume, stat.S_IMODE(top.st_mode))
    finally:
        os.close(volume)


def open_data(volume: Volume) -> int:
    """The volume's directory, for listing; the caller's. NotSupported where there is none between two containers."""
    kind, source, _ = options.of_mount(volume)
    if kind != "bind":
        raise NotSupported(f"volume {volume.name} is a {kind}: it holds nothing while no container uses it")
    return os.open(source, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)


def _move(source: int, target: int) -> None:
    """Move all that is in one directory into another. Each file is the old or the new one at any moment; hard
    links, holes and attributes stay what they are."""
    with ExitStack() as stack:
        levels: list[tuple[int, int, Iterator[str]]] = [(source, target, iter(os.listdir(source)))]
        while levels:
            here, there, names = levels[-1]
            for name in names:
                if _renamed(FileEntry(here, name), FileEntry(there, name)):
                    continue
                inner = os.open(name, DIRECTORY, dir_fd=here)
                stack.callback(os.close, inner)
                outer = os.open(name, DIRECTORY, dir_fd=there)
                stack.callback(os.close, outer)
                levels.append((inner, outer, iter(os.listdir(inner))))
                break
            else:
                levels.pop()


def _renamed(source: FileEntry, target: FileEntry) -> bool:
    """Whether it lies in its place now; False where both are directories, to be gone into."""
    try:
        renameat2(source.directory, source.name, target.directory, target.name, RENAME_NOREPLACE)
        return True
    except FileExistsError:
        pass
    mine, there = source.stat(), target.stat()
    kinds = [stat.S_ISDIR(status.st_mode) for status in (mine, there) if status is not None]
    if kinds == [True, True]:
        return False
    if True in kinds:
        raise Conflict(f"cannot put {source.name!r} in its place: one is a directory, the other is none")
    os.rename(source.name, target.name, src_dir_fd=source.directory, dst_dir_fd=target.directory)
    return True
