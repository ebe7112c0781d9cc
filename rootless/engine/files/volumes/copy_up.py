"""A volume used for the first time gets what the image has at its place, as Docker does it."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Callable

from rootless import atomic
from rootless.engine.files import copy_tree
from rootless.engine.files.copy_end import CopyEnd
from rootless.engine.files.copy_tree import Policy
from rootless.engine.options.mount_config import Mount
from rootless.engine.options.userns import IdMap
from rootless.errors import NotSupported
from rootless.linux.filesystem import RENAME_NOREPLACE, filesystem_type, renameat2
from rootless.runtime.mounts.rootfs import Rootfs, mounted
from rootless.storage import volumes
from rootless.storage.layers import recorded
from rootless.storage.remove_tree import remove_tree, remove_tree_at
from rootless.storage.store import Store
from rootless.storage.volumes import Volume

Opener = Callable[[str], int]
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_ASIDE = ".rootless-filling-"


def unused(store: Store, mounts: list[Mount]) -> list[str]:
    """The directories of those volumes that nothing has been put into yet; none of the host's."""
    found = [volumes.find(store, mount["volume"]) for mount in mounts]
    return [volume.path for volume in found if not volume.options and _is_unused(volume, _open_plain)]


def fill(
    store: Store, mounts: list[Mount], root: Rootfs, given: IdMap | None, open_device: Opener, *, emulated: bool
) -> list[str]:
    """Copy the image's files into those of the volumes that are still empty: the directories of those for which it has nothing.
    Wants the session joined.

    `open_device` opens a directory of the host, as a mount of it does.
    `given`: the root is a copy that belongs to a container with these ids; the volume gets the image's owners.
    `emulated`: whose the files say that they are is believed, also of ids that are here (recorded.Reader).

    A volume being filled is locked; one that a kill left half filled has a mark beside it, and is
    emptied and filled again. A directory of the host (`device=`) is never emptied: it is filled aside, in a directory
    in it that the mark names, and goes on getting what it has not yet. It keeps its own owner and mode,
    and gets no set-user-id files: there they would lend the caller's rights to others.
    """
    empty = [
        (volume, mount["target"])
        for mount in mounts
        if _is_unused(volume := volumes.find(store, mount["volume"]), open_device)
    ]
    if not empty:
        return []
    with mounted(root) as root_fd:
        left = [volume for volume, target in empty if not _fill_one(volume, CopyEnd(root_fd, given), target, open_device, emulated)]
    return [volume.path for volume in left if not volume.options]


def _open_plain(path: str) -> int:
    return os.open(path, _DIRECTORY)


def _open(volume: Volume, open_device: Opener) -> int:
    device = volume.options.get("device")
    return open_device(device) if device else _open_plain(volume.path)


def _is_unused(volume: Volume, open_device: Opener) -> bool:
    try:
        directory = _open(volume, open_device)
    except OSError:
        return False  # of the host's: the start says what is wrong with it
    try:
        if not os.listdir(directory):
            return True
    finally:
        os.close(directory)
    return os.path.exists(_mark(volume))


def _mark(volume: Volume) -> str:
    return os.path.join(os.path.dirname(volume.path), "filling")


def _fill_one(volume: Volume, image: CopyEnd, target: str, open_device: Opener, emulated: bool) -> bool:
    try:
        source = image.open(target, os.O_RDONLY | os.O_DIRECTORY)
    except (FileNotFoundError, NotADirectoryError):
        return False  # nothing there: the volume stays empty, and root's
    lock = os.open(os.path.dirname(volume.path), _DIRECTORY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _is_unused(volume, open_device):
            return True
        directory = _open(volume, open_device)
        try:
            if volume.options:
                _fill_aside(volume, source, directory, Policy(None, special_bits=False, kept=image.out_of, emulated=emulated))
                return True
            os.close(os.open(_mark(volume), os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600))
            _empty(volume.path)
            try:
                _copy(source, directory, image, emulated)
            except PermissionError as error:  # NFS: the server knows of none of the session's ids
                _empty(volume.path)
                os.unlink(_mark(volume))
                raise _refused(volume, target, error) from error
            os.unlink(_mark(volume))
        finally:
            os.close(directory)
    finally:
        os.close(lock)
        os.close(source)
    return True


def _copy(source: int, directory: int, image: CopyEnd, emulated: bool) -> None:
    copy_tree.contents(source, directory, Policy(None, special_bits=True, kept=image.out_of, emulated=emulated))
    status = os.fstat(source)
    owner = recorded.Reader(kept=emulated).owner(source, status)
    recorded.Giver().give(directory, image.out_of(*owner) if image.out_of else owner)
    os.fchmod(directory, status.st_mode & 0o7777)


def _refused(volume: Volume, target: str, error: OSError) -> NotSupported:
    where = os.path.dirname(os.path.dirname(volume.path))
    return NotSupported(
        f"volume {volume.name} cannot get what the image has at {target}: it has owners that {filesystem_type(where)} in {where} refuses "
        f"({error.strerror})",
        hint=f"-v {volume.name}:{target}:nocopy leaves it empty; a directory of a local disk takes them: -v DIR:{target}",
    )


def _fill_aside(volume: Volume, source: int, directory: int, policy: Policy) -> None:
    """Each entry comes whole, and none takes the place of one that is there."""
    if not os.listdir(source):
        return
    _remove_aside(volume, directory)
    aside = _ASIDE + os.urandom(8).hex()
    atomic.write_bytes(_mark(volume), aside.encode())
    try:
        os.mkdir(aside, 0o700, dir_fd=directory)
        made = os.open(aside, _DIRECTORY | os.O_NOFOLLOW, dir_fd=directory)
        try:
            copy_tree.contents(source, made, policy)
            for name in os.listdir(made):
                _move_new(made, name, directory)
        finally:
            os.close(made)
    finally:
        _remove_aside(volume, directory)
    os.unlink(_mark(volume))


def _remove_aside(volume: Volume, directory: int) -> None:
    """What a fill that did not come to its end has left."""
    try:
        with open(_mark(volume)) as file:
            aside = file.read()
    except FileNotFoundError:
        return
    if aside.startswith(_ASIDE) and "/" not in aside:
        remove_tree_at(directory, aside)


def _move_new(source: int, name: str, target: int) -> None:
    try:
        renameat2(source, name, target, name, RENAME_NOREPLACE)
    except FileExistsError:
        pass
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOSYS):
            raise
        # A file system without that flag.
        try:
            os.stat(name, dir_fd=target, follow_symlinks=False)
        except FileNotFoundError:
            os.rename(name, name, src_dir_fd=source, dst_dir_fd=target)


def _empty(path: str) -> None:
    for name in os.listdir(path):
        remove_tree(f"{path}/{name}")
