"""What `-v ...:U` asks for, Podman's word: a mount's source becomes the container's user's, with all below it.

Done before each start, in the session, which is root over the caller's own ids and subordinate ones and over
nothing else: what belongs to anybody else cannot be given away. Containers that run may change the tree
meanwhile, so everything is reached by descriptor, no link is followed and no mount is entered.
Imported where it is asked for. Wants the session joined.
"""

from __future__ import annotations

import errno
import os
import stat

from rootless import paths
from rootless.engine.files import view
from rootless.engine.options.ids import DEFAULT
from rootless.engine.options.mount_config import GIVEN, Mount
from rootless.engine.state.config import ContainerConfig
from rootless.errors import InvalidInput, NotSupported, RootlessError
from rootless.linux.openat2 import (
    RESOLVE_BENEATH,
    RESOLVE_NO_MAGICLINKS,
    RESOLVE_NO_XDEV,
    open_without_links,
    openat2,
)
from rootless.runtime.mounts.bind import EXACT
from rootless.runtime.mounts.mount_parts import SUBPATH
from rootless.runtime.mounts.rootfs import Rootfs, mounted
from rootless.runtime.process.passwd import find_user
from rootless.runtime.rootfs_path import open_in_root
from rootless.session import session
from rootless.storage.layers.recorded import Giver, Reader
from rootless.storage.store import Store

_DEEPEST = 300
_PLACE = os.O_PATH | os.O_NOFOLLOW
_LIST = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


def asked(record: ContainerConfig) -> list[Mount]:
    """The mounts with the word. Pure."""
    return [mount for mount in record["mounts"] if GIVEN in mount["options"]]


def give(store: Store, record: ContainerConfig, root: Rootfs) -> None:
    """Give the sources of those mounts, which are resolved for this start, to whom the container runs as.

    InvalidInput for the caller's home and what it lies in, and for a tmpfs; NotSupported where the user has no id
    on this machine or something belongs to another account. What has the right owner already is not touched.
    """
    user = _owner(store, record, root)
    # Whose ids are emulated, and are none here, is told by the files themselves.
    giver = Giver() if session.join().single_id and (record.get("ids") or DEFAULT) in ("auto", "full") else None
    for mount in asked(record):
        top = _source(store, mount)
        try:
            _refuse_home(top, mount)
            _Tree(mount["source"] or mount["volume"] or mount["target"], user, giver).give(top)
        finally:
            os.close(top)


def _owner(store: Store, record: ContainerConfig, root: Rootfs) -> tuple[int, int]:
    """Uid and gid of the container's user, as the session counts: as the start will find him, in the
    container's own files with all that is mounted over them."""
    id_map = record.get("id_map")
    with mounted(root, view.steps(store, record)) as root_fd:
        user = find_user(record["user"], root=root_fd)
    return _outside(user.uid, id_map["uid"] if id_map else None), _outside(user.gid, id_map["gid"] if id_map else None)


def _outside(number: int, extents: list[list[int]] | None) -> int:
    if extents is None:
        return number
    for inside, outside, size in extents:
        if inside <= number < inside + size:
            return outside + number - inside
    raise NotSupported(f"id {number} of the container has none on this machine: nothing can be given to it")


def _source(store: Store, mount: Mount) -> int:
    entry = mount.get("oci") or {}
    if entry.get("type") == "tmpfs":
        raise InvalidInput(
            f"{mount['target']}: U is for what lasts, and this is a tmpfs", hint="a tmpfs has the options uid= and gid="
        )
    path = entry.get("source") or mount["source"] or f"{store.volumes}/{mount['volume']}/_data"
    top = open_without_links(path) if mount.get("exact") or entry.get(EXACT) else os.open(path, os.O_PATH | os.O_CLOEXEC)
    if not entry.get(SUBPATH):
        return top
    try:
        return open_in_root(top, entry[SUBPATH])
    finally:
        os.close(top)


def _refuse_home(top: int, mount: Mount) -> None:
    """Who gives his home away cannot log in any more; and a root's is no different."""
    status = os.fstat(top)
    path = os.path.realpath(paths.home())
    while True:
        try:
            if os.path.samestat(os.stat(path), status):
                raise InvalidInput(
                    f"{mount['source']} will not be given to a container's user: your home directory is in it",
                    hint="mount a directory below it",
                )
        except OSError:
            pass  # not there, or not ours to look at
        if path == "/":
            return
        path = os.path.dirname(path)


class _Tree:
    """One source on its way to its new owner."""

    def __init__(self, name: str, owner: tuple[int, int], giver: Giver | None) -> None:
        self._name = name
        self._uid, self._gid = owner
        self._giver = giver
        self._owners = Reader()

    def give(self, top: int) -> None:
        """`top` (O_PATH) and what is below it, deepest names of one directory at a time."""
        self._one(top, "")
        if not stat.S_ISDIR(os.fstat(top).st_mode):
            return
        stack = [self._listed(top)]
        try:
            while stack:
                directory, names = stack[-1]
                if not names:
                    os.close(stack.pop()[0])
                    continue
                below = self._below(directory, names.pop())
                if below is None:
                    continue
                if len(stack) == _DEEPEST:
                    os.close(below)
                    raise RootlessError(f"{self._name} has directories nested more than {_DEEPEST} levels deep")
                try:
                    stack.append(self._listed(below))
                finally:
                    os.close(below)
        finally:
            for fd, _ in stack:
                os.close(fd)

    def _below(self, directory: int, name: str) -> int | None:
        """Give one entry; its descriptor, the caller's, if it is a directory to be entered."""
        try:
            fd = openat2(directory, name, _PLACE, resolve=RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS)
        except FileNotFoundError:
            return None  # gone meanwhile
        except OSError as error:
            if error.errno == errno.EXDEV:
                return None  # another mount
            raise self._failure(name, error) from None
        try:
            self._one(fd, name)
            if stat.S_ISDIR(os.fstat(fd).st_mode):
                fd, found = -1, fd
                return found
            return None
        finally:
            if fd >= 0:
                os.close(fd)

    def _one(self, fd: int, name: str) -> None:
        status = os.fstat(fd)
        now = self._owners.owner(fd, status) if self._giver else (status.st_uid, status.st_gid)
        if now == (self._uid, self._gid):
            return
        try:
            if self._giver:
                self._giver.give(fd, (self._uid, self._gid))
                return
            # What the descriptor is of: a link is not followed, and no name is looked up again.
            os.chown(f"/proc/self/fd/{fd}", self._uid, self._gid)
        except OSError as error:
            raise self._failure(name, error) from None

    def _listed(self, place: int) -> tuple[int, list[str]]:
        try:
            fd = os.open(f"/proc/self/fd/{place}", _LIST)
        except OSError as error:
            raise self._failure("", error) from None
        try:
            return fd, os.listdir(fd)
        except BaseException:
            os.close(fd)
            raise

    def _failure(self, name: str, error: OSError) -> NotSupported:
        what = f"{self._name} ({name} in it)" if name else self._name
        if error.errno == errno.EINVAL:
            return NotSupported(
                f"{what} cannot be given to {self._uid}:{self._gid}: that user has no id on this machine",
                hint="the range of subordinate ids (/etc/subuid, /etc/subgid) is too small for it",
            )
        if error.errno in (errno.EPERM, errno.EOVERFLOW):
            return NotSupported(
                f"{what} cannot be given to the container's user: it is not yours",
                hint="leave U out, or mount a directory of your own",
            )
        return NotSupported(f"{what} cannot be given to the container's user: {(error.strerror or '').lower()}")
