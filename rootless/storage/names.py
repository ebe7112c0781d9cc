"""The claim on the name of a container or pod: a symlink, made by symlink(2), so only one can win.

    names/<name> -> <id>; a claim on a container that is gone is void. A pod and a container never have the same name.

Hot path.
"""

from __future__ import annotations

import fcntl
import os

from rootless.errors import Conflict, InvalidInput
from rootless.storage.store import Store, make_directory, open_lock

NAME_START = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
NAME_REST = NAME_START | frozenset("_.-")


def check_name(name: str) -> None:
    """Raise InvalidInput, in Docker's words, unless `name` may name a container or a volume."""
    if len(name) < 2 or len(name) > 200 or name[0] not in NAME_START or not NAME_REST.issuperset(name):
        raise InvalidInput(
            f"Invalid container name ({name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed",
            hint="use 2 to 200 letters, digits, _ . - and begin with a letter or digit",
        )


def all_names(store: Store) -> dict[str, str]:
    """Container id -> name, for all. A container with no entry lost its name to a crash: show its id."""
    found: dict[str, str] = {}
    try:
        entries = sorted(os.listdir(store.names))
    except FileNotFoundError:
        return found
    base = store.names + "/"
    for entry in entries:
        try:
            found[os.readlink(base + entry)] = entry
        except OSError:
            continue
    return found


def name_of(store: Store, container_id: str) -> str:
    """The container's name, "" if it has none."""
    return all_names(store).get(container_id, "")


def claim(store: Store, name: str, container_id: str) -> None:
    """Claim `name` for the container; Conflict, in Docker's words, if a living one has it."""
    path = f"{store.names}/{name}"
    try:
        os.symlink(container_id, path)
        return
    except FileExistsError:
        pass
    except FileNotFoundError:
        make_directory(store.names)
        claim(store, name, container_id)
        return
    # Only a void claim may be taken over, and only under this lock: two takers could otherwise
    # each remove the other's. Plain claimers need none, their symlink(2) fails or succeeds whole.
    guard = open_lock(store.root + "/names.lock")
    try:
        fcntl.flock(guard, fcntl.LOCK_EX)
        try:
            holder = os.readlink(path)
        except FileNotFoundError:
            holder = ""
        if holder:
            if exists(store, holder):
                if os.path.isdir(f"{store.root}/pods/{holder}"):
                    raise Conflict(
                        f'name "{name}" is in use: pod already exists',
                        hint=f"remove it with `rootless pod rm {name}`, or choose another --name",
                    )
                raise Conflict(
                    f'Conflict. The container name "/{name}" is already in use by container "{holder}". '
                    "You have to remove (or rename) that container to be able to reuse that name.",
                    hint=f"remove it with `rootless rm {name}`, or choose another --name",
                )
            os.unlink(path)
        try:
            os.symlink(container_id, path)
        except FileExistsError:
            raise Conflict(f'Conflict. The container name "/{name}" is already in use') from None
    finally:
        os.close(guard)


def exists(store: Store, identifier: str) -> bool:
    """Whether the container or pod is there or is being made by a living process."""
    return _exists(f"{store.root}/containers/", identifier) or _exists(f"{store.root}/pods/", identifier)


def _exists(base: str, identifier: str) -> bool:
    if os.path.isdir(base + identifier):
        return True
    try:
        fd = os.open(f"{base}.new-{identifier}/lock", os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        # Renamed into place between the two looks?
        return os.path.isdir(base + identifier)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return os.path.isdir(base + identifier)


def release(store: Store, name: str, container_id: str) -> None:
    """Give `name` up if it is this container's; idempotent."""
    path = f"{store.names}/{name}"
    try:
        if os.readlink(path) == container_id:
            os.unlink(path)
    except OSError:
        pass
