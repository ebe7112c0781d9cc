"""Containers' directories: identity, names, locks, and the status derived from facts.

Imported by `run`, `exec`, `start` and `ps`. Must not know what is in a container's
config.json beyond being JSON. Nothing here reads a database or takes a lock to read.

    containers/<id>/            complete, or it is not there
    containers/<id>/lock        flocked by the process that changes the container
    containers/<id>/transient   symlink to a boot id: swept when that boot is over (`run --rm`)
    containers/.new-<id>        being made, its `lock` held; swept when unlocked
    containers/.rm-<id>         being deleted; anybody may finish the job
    names/<name> -> <id>        symlink(2) is the claim; one to a container that is gone is void

Hot path.
"""

from __future__ import annotations

import fcntl
import os

from rootless import atomic
from rootless.errors import Conflict, InvalidInput, NotFound, RootlessError
from rootless.record import TYPE_CHECKING
from rootless.storage import names as claims
from rootless.storage import shape
from rootless.storage.containers.status import ContainerStatus, status
from rootless.storage.store import Store, make_directory, make_locked, open_lock

if TYPE_CHECKING:
    from typing import Any

__all__ = [
    "ContainerStatus", "Lock", "config", "create", "directory", "find", "ids", "lock", "name_of", "names",
    "new_id", "remove", "rename", "status",
]  # fmt: skip

_HEX = frozenset("0123456789abcdef")


class Lock:
    """A held lock on one container; release by `with` or `release()`."""

    __slots__ = ("fd",)

    def __init__(self, fd: int) -> None:
        self.fd = fd

    def __enter__(self) -> Lock:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def release(self) -> None:
        """Idempotent."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


def new_id() -> str:
    """64 hexadecimal digits; never all digits in the first 12, so that no id reads as a number."""
    while True:
        candidate = os.urandom(32).hex()
        if not candidate[:12].isdigit():
            return candidate


def directory(store: Store, container_id: str) -> str:
    """Absolute path of the container's directory; says nothing about whether it exists."""
    return f"{store.root}/containers/{container_id}"


def create(
    store: Store,
    container_id: str,
    name: str,
    config: dict[str, Any],
    *,
    durable: bool = True,
) -> str:
    """Make the container's directory with `config` in config.json and claim `name`; its path.

    Atomic: the container is there complete and named, or not at all. Conflict if the name is taken.
    `durable=False` (`run --rm`): nothing is fsynced and the container is swept after a reboot.
    Does not need the session: everything made here belongs to the caller.
    """
    claims.check_name(name)
    base = store.containers
    new, final = f"{base}/.new-{container_id}", f"{base}/{container_id}"
    try:
        held = make_locked(new)
    except FileNotFoundError:
        make_directory(base)
        make_directory(store.names)
        held = make_locked(new)
    try:
        if not durable:
            from rootless.linux.process import boot_id

            os.symlink(boot_id(), new + "/transient")
        atomic.write_json(new + "/config.json", config, durable=durable)
        claims.claim(store, name, container_id)
        try:
            os.rename(new, final)
        except BaseException:
            claims.release(store, name, container_id)
            raise
    except BaseException:
        from rootless.storage.remove_tree import remove_tree

        remove_tree(new)
        raise
    finally:
        os.close(held)
    if durable:
        _sync_directory(base)
    return final


def _sync_directory(path: str) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def ids(store: Store) -> list[str]:
    """Ids of all containers, sorted; empty for a store that does not exist yet."""
    try:
        entries = os.listdir(store.containers)
    except FileNotFoundError:
        return []
    return sorted(entry for entry in entries if len(entry) == 64 and entry[0] != ".")


def names(store: Store) -> dict[str, str]:
    """Container id -> name, for all; one that is missing lost its name to a crash: show its id."""
    return claims.all_names(store)


def name_of(store: Store, container_id: str) -> str:
    """The container's name, "" if it has none."""
    return claims.name_of(store, container_id)


def find(store: Store, ref: str) -> str:
    """The id that `ref` means: a full id, a name (also "/name"), or a unique prefix of an id.

    NotFound or Conflict, with Docker's wording.
    """
    base = store.containers + "/"
    if len(ref) == 64 and _HEX.issuperset(ref) and os.path.isdir(base + ref):
        return ref
    name = ref[1:] if ref[:1] == "/" else ref
    if name and name[0] in claims.NAME_START and claims.NAME_REST.issuperset(name):
        try:
            holder = os.readlink(f"{store.names}/{name}")
        except PermissionError:
            raise  # another user's store: not to be taken for an empty one
        except OSError:
            holder = ""
        if holder and os.path.isdir(base + holder):
            return holder
    if ref and len(ref) < 64 and _HEX.issuperset(ref):
        matches = [entry for entry in ids(store) if entry.startswith(ref)]
        if len(matches) == 1:
            return matches[0]
        if matches:
            raise Conflict(
                f"Multiple IDs found with provided prefix: {ref}",
                hint="give more characters: " + ", ".join(entry[:12] for entry in matches[:5]),
            )
    raise NotFound(f"No such container: {ref}", hint="`rootless ps -a` lists the containers")


def lock(store: Store, container_id: str, *, blocking: bool = True) -> Lock:
    """Hold the container's lock until the result is released; NotFound if the container is gone.

    With `blocking=False`, Conflict when another process holds it.
    """
    path = directory(store, container_id) + "/lock"
    try:
        fd = open_lock(path) if os.path.isdir(os.path.dirname(path)) else -1
    except FileNotFoundError:
        fd = -1
    if fd < 0:
        raise NotFound(f"No such container: {container_id}")
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | (0 if blocking else fcntl.LOCK_NB))
        # It may have been removed (renamed away) while we waited.
        try:
            here = os.stat(path)
        except FileNotFoundError:
            raise NotFound(f"No such container: {container_id}") from None
        held = os.fstat(fd)
        if (here.st_dev, here.st_ino) != (held.st_dev, held.st_ino):
            raise NotFound(f"No such container: {container_id}")
    except BlockingIOError:
        os.close(fd)
        raise Conflict(
            f"container {container_id[:12]} is busy: another command is changing it",
            hint="try again when that has ended",
        ) from None
    except BaseException:
        os.close(fd)
        raise
    return Lock(fd)


def remove(store: Store, container_id: str) -> None:
    """Delete the container and free its name. NotFound if it is not there.

    The caller holds its lock, has made sure that nothing runs or is mounted in it, and has joined
    the session (files of all subordinate ids are deleted). From the first instant the container
    is gone for everybody; if deleting its files then fails, RootlessError tells which, and `sweep`
    tries again.
    """
    gone = f"{store.containers}/.rm-{container_id}"
    name = claims.name_of(store, container_id)
    try:
        os.rename(directory(store, container_id), gone)
    except FileNotFoundError:
        raise NotFound(f"No such container: {container_id}") from None
    if name:
        claims.release(store, name, container_id)
    from rootless.storage.remove_tree import remove_tree

    failures = remove_tree(gone)
    if failures:
        from rootless.storage import left_files

        raise RootlessError(
            f"container {container_id[:12]} is removed, but some of its files could not be deleted: "
            + "; ".join(failures[:3]),
            hint=left_files.hint(gone),
        )


def abandon(store: Store, container_id: str) -> None:
    """Give up a container that does not run and cannot be removed now: it is gone for everybody, and a later
    command sweeps its files. Wants no descriptor. Idempotent."""
    try:
        os.rename(directory(store, container_id), f"{store.containers}/.rm-{container_id}")
    except OSError:
        pass  # removed after all


def rename(store: Store, container_id: str, new_name: str) -> None:
    """Give the container another name; atomic. Conflict if that is taken."""
    claims.check_name(new_name)
    old = claims.name_of(store, container_id)
    if old == new_name:
        raise InvalidInput("Renaming a container with the same name as its current name")
    # Claimed first, released after: a kill between leaves it with both names, never with none.
    claims.claim(store, new_name, container_id)
    if old:
        claims.release(store, old, container_id)


def config(store: Store, container_id: str, wanted: dict[str, Any] = shape.CONFIG) -> dict[str, Any]:
    """The container's config.json; NotFound if the container is gone (it may vanish at any time), RootlessError
    if it is damaged: whoever looks at all containers goes on with the next one. Who uses a part of it only says
    the shape of what is `wanted`: what a container refers to stays in use, damaged or not."""
    try:
        return shape.read(directory(store, container_id) + "/config.json", wanted)
    except FileNotFoundError:
        raise NotFound(f"No such container: {container_id}") from None
    except ValueError as error:
        raise RootlessError(
            f"container {container_id[:12]} has a damaged config.json: {error}",
            hint=f"remove it: `rootless rm -f {container_id[:12]}`",
        ) from error
