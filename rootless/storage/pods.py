"""Pods' directories: what is fixed of each, its lock, and how it comes and goes. Which containers are in it, they say.

    pods/<id>/config.json   whole, or the pod is not there
    pods/<id>/lock          flocked by the process that changes the pod, or puts a container into it
    pods/.new-<id>/         being made, its `lock` held; swept when unlocked
    pods/.rm-<id>/          being deleted; anybody may finish the job
    names/<name> -> <id>    the claim on its name, among those of containers
"""

from __future__ import annotations

import fcntl
import os

from rootless import atomic
from rootless.errors import Conflict, InvalidInput, NotFound, RootlessError
from rootless.record import TYPE_CHECKING
from rootless.storage import names, shape
from rootless.storage.remove_tree import remove_tree
from rootless.storage.store import Store, make_directory, make_locked, open_lock

if TYPE_CHECKING:
    from typing import Any

_HEX = frozenset("0123456789abcdef")
_MOUNT = {"type": str, "source": str, "target": str, "read_only": bool, "volume": str, "copy_up": bool, "options": [str]}
POD: dict[str, Any] = {
    "version": int, "id": str, "name": str, "created_at": "time", "infra": str, "hostname": str, "labels": {str: str},
    "share": [str], "exit_policy": str, "restart": {"name": str, "retries": int}, "mounts": [_MOUNT], "command": [str],
}  # fmt: skip
"""config.json of a pod (engine/state/pods.py)."""


class PodLock:
    """A pod's lock, held until the end of a `with`."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def __enter__(self) -> PodLock:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)


class NewPod:
    """A pod that is being made: there, with its name, once its `with` ends well, and gone where that fails.

    Conflict, in Podman's words, where the name is taken. What is made inside of the `with` is the caller's to undo.
    """

    def __init__(self, store: Store, config: dict[str, Any]) -> None:
        self._store = store
        self._config = config
        self._base = directory(store)
        self._new = f"{self._base}/.new-{config['id']}"
        self._fd = -1

    def __enter__(self) -> NewPod:
        name, identifier = self._config["name"], self._config["id"]
        check_name(name)
        make_directory(self._base)
        self._fd = make_locked(self._new)
        try:
            atomic.write_json(self._new + "/config.json", self._config)
            try:
                names.claim(self._store, name, identifier)
            except Conflict:
                raise taken(self._store, name) from None
        except BaseException:
            self._give_up()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                os.rename(self._new, f"{self._base}/{self._config['id']}")
                _sync(self._base)
        except BaseException:
            kind = RootlessError
            raise
        finally:
            if kind is not None:
                names.release(self._store, self._config["name"], self._config["id"])
                self._give_up()
            elif self._fd >= 0:
                os.close(self._fd)

    def _give_up(self) -> None:
        remove_tree(self._new)
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def check_name(name: str) -> None:
    """InvalidInput, in Podman's words, unless `name` may name a pod."""
    if len(name) > 200 or not name or name[0] not in names.NAME_START or not names.NAME_REST.issuperset(name):
        raise InvalidInput(
            "running pod create option: names must match [a-zA-Z0-9][a-zA-Z0-9_.-]*: invalid argument",
            hint="letters, digits, _ . and -, a letter or digit first, at most 200",
        )


def taken(store: Store, name: str) -> Conflict:
    """The error for a name that a pod or a container has."""
    try:
        holder = os.readlink(f"{store.names}/{name}")
    except OSError:
        holder = ""
    kind, verb = ("pod", "pod rm") if os.path.isdir(f"{directory(store)}/{holder}") else ("container", "rm")
    return Conflict(
        f'adding pod to state: name "{name}" is in use: {kind} already exists',
        hint=f"remove it with `rootless {verb} {name}`, or choose another --name",
    )


def directory(store: Store, pod_id: str = "") -> str:
    """The directory of a pod, or of all."""
    return f"{store.root}/pods/{pod_id}".rstrip("/")


def ids(store: Store) -> list[str]:
    """The ids of all pods, sorted."""
    try:
        entries = os.listdir(directory(store))
    except FileNotFoundError:
        return []
    return sorted(entry for entry in entries if _is_id(entry))


def find(store: Store, reference: str) -> str:
    """The id that `reference` means: a name, an id, or a unique beginning of one. NotFound, Conflict in Podman's words."""
    if exists(store, reference):
        return reference
    holder = ""
    if reference and reference[0] in names.NAME_START and names.NAME_REST.issuperset(reference):
        try:
            holder = os.readlink(f"{store.names}/{reference}")
        except OSError:
            pass
        if holder and exists(store, holder):
            return holder
    if reference and _HEX.issuperset(reference):
        matches = [each for each in ids(store) if each.startswith(reference)]
        if len(matches) == 1:
            return matches[0]
        if matches:
            raise Conflict(
                f"more than one result for ID or name {reference}: pod already exists",
                hint="give more characters: " + ", ".join(each[:12] for each in matches[:5]),
            )
    if holder and os.path.isdir(f"{store.containers}/{holder}"):
        raise NotFound(f"{reference} is a container, not a pod: no such pod", hint="`rootless pod ps` lists the pods")
    raise not_found(reference)


def not_found(reference: str) -> NotFound:
    """The error for a pod that nobody has."""
    return NotFound(f"no pod with name or ID {reference} found: no such pod", hint="`rootless pod ps` lists the pods")


def exists(store: Store, pod_id: str) -> bool:
    """Whether the pod of this id is there, or is being made by a living process."""
    return _is_id(pod_id) and os.path.isdir(directory(store, pod_id))


def _is_id(word: str) -> bool:
    return len(word) == 64 and _HEX.issuperset(word)


def config(store: Store, pod_id: str) -> dict[str, Any]:
    """The pod's config.json; NotFound where the pod is gone, RootlessError where it is damaged."""
    try:
        found = shape.read(directory(store, pod_id) + "/config.json", POD)
        if found["id"] != pod_id:
            raise ValueError("it is another pod's")
        if found["infra"] and not _is_id(found["infra"]):
            raise ValueError("its infra is none")
        return found
    except FileNotFoundError:
        if exists(store, pod_id):
            raise _damaged(pod_id, "it is missing") from None
        raise not_found(pod_id[:12]) from None
    except ValueError as error:
        raise _damaged(pod_id, str(error)) from None


def _damaged(pod_id: str, why: str) -> RootlessError:
    return RootlessError(
        f"pod {pod_id[:12]} has a damaged config.json: {why}", hint=f"remove it: `rootless pod rm -f {pod_id[:12]}`"
    )


def lock(store: Store, pod_id: str, *, shared: bool = False, blocking: bool = True) -> PodLock:
    """Hold the pod: alone, or `shared` with others that put containers into it. NotFound where it is gone; Conflict
    where another process holds it, unless it is waited for (`blocking`)."""
    path = directory(store, pod_id) + "/lock"
    if not exists(store, pod_id):
        raise not_found(pod_id[:12])
    fd = open_lock(path)
    try:
        fcntl.flock(fd, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if blocking else fcntl.LOCK_NB))
        try:
            here = os.stat(path)
        except FileNotFoundError:
            raise not_found(pod_id[:12]) from None  # removed while we waited
        held = os.fstat(fd)
        if (here.st_dev, here.st_ino) != (held.st_dev, held.st_ino):
            raise not_found(pod_id[:12])
    except BlockingIOError:
        os.close(fd)
        raise Conflict(f"pod {pod_id[:12]} is busy: another command is changing it", hint="try again when that has ended") from None
    except BaseException:
        os.close(fd)
        raise
    return PodLock(fd)


def remove(store: Store, pod_id: str) -> None:
    """Take the pod away and free its name; its lock is the caller's, and no container is in it any more."""
    name = names.name_of(store, pod_id)
    gone = f"{directory(store)}/.rm-{pod_id}"
    os.rename(directory(store, pod_id), gone)
    if name:
        names.release(store, name, pod_id)
    remove_tree(gone)


def is_being_made(store: Store, pod_id: str) -> bool:
    """Whether a living process makes the pod now, or has made it."""
    return names.exists(store, pod_id)


def _sync(path: str) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
