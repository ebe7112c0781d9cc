"""Volumes: directories that outlive containers. Which containers use one is the engine's to know.

    volumes/<name>/_data         what is mounted, 0755 and the session's root's when new
    volumes/<name>/volume.json   {"created_at", "labels", "anonymous", "options"}
    volumes/.rm-*                being deleted; swept

A volume is there once volumes/<name> is: made aside and renamed.
"""

from __future__ import annotations

import os
import time
from typing import NamedTuple

from rootless import atomic
from rootless.errors import Conflict, InvalidInput, NotFound, RootlessError
from rootless.storage.names import NAME_REST, NAME_START
from rootless.storage.store import Store, make_directory

_MADE_S, _MADE_ELSEWHERE_S = 60, 86_400
"""A volume is made in milliseconds: what is older was left by a killed process. Another machine may wait for the file server meanwhile."""


class Volume(NamedTuple):
    """One volume; `path` is the absolute host path of its data."""

    name: str
    path: str
    labels: dict[str, str]
    created_at: str  # RFC 3339, UTC
    anonymous: bool
    options: dict[str, str] = {}  # what is mounted instead of `path`, in the words of `volume create -o`


def _check(name: str) -> None:
    if len(name) < 2 or len(name) > 200 or name[0] not in NAME_START or not NAME_REST.issuperset(name):
        raise InvalidInput(
            f'"{name}" includes invalid characters for a local volume name, '
            'only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed',
            hint="if you intended to pass a host directory, use an absolute path",
        )


def create(
    store: Store,
    name: str | None = None,
    *,
    labels: dict[str, str] | None = None,
    options: dict[str, str] | None = None,
    anonymous: bool = False,
) -> Volume:
    """Make a volume; without a name 64 random hexadecimal digits. Conflict if it is there."""
    if name is None:
        name = os.urandom(32).hex()
    _check(name)
    store.wait()
    final = f"{store.volumes}/{name}"
    make_directory(store.volumes)
    new = f"{store.volumes}/.new-{os.getpid()}-{os.urandom(6).hex()}"
    os.mkdir(new, 0o700)
    try:
        os.mkdir(new + "/_data", 0o755)
        os.chmod(new + "/_data", 0o755)
        record = {
            "created_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time())),
            "labels": labels or {},
            "anonymous": anonymous,
            "options": options or {},
        }
        atomic.write_json(new + "/volume.json", record)
        try:
            # Fails on any existing volume: a directory with something in it is never replaced.
            os.rename(new, final)
        except OSError as error:
            if os.path.isdir(final):
                raise Conflict(f"volume {name} already exists") from None
            raise error
    except BaseException:
        from rootless.storage.remove_tree import remove_tree

        remove_tree(new)
        raise
    return find(store, name)


def ensure(
    store: Store,
    name: str,
    *,
    labels: dict[str, str] | None = None,
    options: dict[str, str] | None = None,
) -> tuple[Volume, bool]:
    """The volume `name`, made if it is not there, and whether it was."""
    try:
        return find(store, name), False
    except NotFound:
        pass
    try:
        return create(store, name, labels=labels, options=options), True
    except Conflict:
        return find(store, name), False


def find(store: Store, name: str) -> Volume:
    """The volume called exactly `name`, or with a unique anonymous name that begins so; NotFound."""
    _check(name)
    store.wait()
    path = f"{store.volumes}/{name}"
    if not os.path.isdir(path):
        matches = [known for known in _names(store) if len(known) == 64 and known.startswith(name)]
        if len(matches) != 1 or len(name) < 12:
            raise NotFound(f"get {name}: no such volume", hint="`rootless volume ls` lists them")
        name = matches[0]
        path = f"{store.volumes}/{name}"
    try:
        record = atomic.read_json(path + "/volume.json")
    except (FileNotFoundError, ValueError):
        record = {}  # the data are what counts
    return Volume(
        name,
        path + "/_data",
        record.get("labels", {}),
        record.get("created_at", ""),
        bool(record.get("anonymous")),
        record.get("options", {}),
    )


def _names(store: Store) -> list[str]:
    store.wait()
    try:
        entries = os.listdir(store.volumes)
    except FileNotFoundError:
        return []
    return sorted(entry for entry in entries if entry[0] != ".")


def list_volumes(store: Store) -> list[Volume]:
    """All volumes, by name."""
    found = []
    for name in _names(store):
        try:
            found.append(find(store, name))
        except NotFound:
            continue
    return found


def remove(store: Store, name: str, *, missing_ok: bool = False) -> None:
    """Delete the volume and what is in it; gone for everybody at once. Wants the session joined.

    NotFound unless `missing_ok`. RootlessError naming files that could not be deleted.
    """
    from rootless.storage.remove_tree import remove_tree

    _check(name)
    gone = f"{store.volumes}/.rm-{os.getpid()}-{os.urandom(6).hex()}"
    try:
        os.rename(f"{store.volumes}/{name}", gone)
    except FileNotFoundError:
        if missing_ok:
            return
        raise NotFound(f"get {name}: no such volume") from None
    failures = remove_tree(gone)
    if failures:
        from rootless.storage import left_files

        raise RootlessError(
            f"volume {name} is removed, but not all of its files: " + "; ".join(failures[:3]), hint=left_files.hint(gone)
        )


def prune(store: Store, *, used: set[str], every: bool = False) -> list[str]:
    """Remove anonymous volumes (`every`: all) whose names are not in `used`; what went."""
    gone = []
    for volume in list_volumes(store):
        if volume.name not in used and (every or volume.anonymous):
            remove(store, volume.name, missing_ok=True)
            gone.append(volume.name)
    return gone


def sweep(store: Store) -> list[str]:
    """Delete what killed processes left; wants the session joined."""
    from rootless.storage.remove_tree import remove_tree

    done: list[str] = []
    try:
        entries = os.listdir(store.volumes)
    except FileNotFoundError:
        return done
    young = store.now() - (_MADE_ELSEWHERE_S if store.shared else _MADE_S) if any(entry.startswith(".new-") for entry in entries) else 0.0
    for entry in entries:
        path = f"{store.volumes}/{entry}"
        try:
            old = entry.startswith(".new-") and os.stat(path).st_mtime < young
        except FileNotFoundError:
            continue
        if old or entry.startswith(".rm-"):
            remove_tree(path)
            done.append(entry)
    return done
