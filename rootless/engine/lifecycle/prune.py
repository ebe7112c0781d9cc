"""Stopped containers removed in one go, and everything, for `prune` and `system reset`."""

from __future__ import annotations

import os
import sys
from typing import NamedTuple

from rootless.engine.lifecycle import remove
from rootless.engine.options import clock
from rootless.engine.state import damaged
from rootless.engine.state.events import events
from rootless.errors import Conflict, InvalidInput, NotFound, RootlessError
from rootless.session import session
from rootless.storage.containers import containers
from rootless.storage.maintenance import usage
from rootless.storage.store import Store
from rootless.words import plain

FILTERS = ("label", "label!", "until")
OURS = ("blobs", "containers", "driver.json", "events", "gc.lock", "images", "layers", "names", "names.lock",
        "run", "seccomp", "single-id-told", "tmp", "userns.lock", "volumes")  # fmt: skip
"""What stands below ROOT; a reset touches nothing else that a user may keep there."""


class PrunedContainers(NamedTuple):
    """Ids of the containers that went, and the bytes they had written."""

    ids: list[str]
    reclaimed_bytes: int


def prune_containers(store: Store, filters: dict[str, list[str]]) -> PrunedContainers:
    """Remove the containers that do not run. The caller has joined the session."""
    until = min((clock.parse_moment(text) for text in filters.get("until", ())), default=None)
    gone, reclaimed = [], 0
    for identifier in containers.ids(store):
        try:
            if containers.status(store, identifier).state not in ("created", "exited"):
                continue
            try:
                record = containers.config(store, identifier)
            except NotFound:
                raise
            except RootlessError:
                record = dict(damaged.record(store, identifier))
            if until is not None and clock.to_nanoseconds(record["created_at"]) >= until:
                continue
            if not _passes(record.get("labels") or {}, filters):
                continue
            size = usage.container_bytes(store, identifier)
            remove.remove(store, identifier)
        except (Conflict, NotFound):
            continue  # started, or removed, since we looked
        gone.append(identifier)
        reclaimed += size
    events.pruned(store, "container", reclaimed)
    return PrunedContainers(gone, reclaimed)


def _passes(labels: dict[str, str], filters: dict[str, list[str]]) -> bool:
    def has(word: str) -> bool:
        key, equals, value = word.partition("=")
        return key in labels and (not equals or labels[key] == value)

    return all(map(has, filters.get("label", ()))) and not any(map(has, filters.get("label!", ())))


def reset(store: Store) -> list[str]:
    """Remove all containers, images and volumes, what starts them at boot, then the session, if nobody of
    another ROOT lives in it. Not from inside the session. What was undone of `enable`.

    What cannot be removed is a RootlessError naming it; the rest is gone then all the same.
    """
    if session.inside():
        raise InvalidInput(
            "`system reset` cannot end the session it runs in", hint="leave `rootless unshare` first"
        )
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()  # the files need the session, and the session can only be ended from outside
    if child == 0:
        os._exit(_reset_inside(store))
    _, status = os.waitpid(child, 0)
    session.stop()
    from rootless.engine.lifecycle.autostart import autostart

    disabled = autostart.disable_all(store)
    if os.waitstatus_to_exitcode(status):
        raise RootlessError(
            f"not everything below {store.root} could be removed",
            hint="end what still uses it, and try again",
        )
    try:
        os.rmdir(store.root)
    except OSError:
        pass  # a mount point, or something of the user's is in it
    return disabled


def _reset_inside(store: Store) -> int:
    """The child's part: its exit status."""
    from rootless.storage.remove_tree import remove_tree

    failures: list[str] = []
    try:
        session.join()
        for identifier in containers.ids(store):
            try:
                remove.remove(store, identifier, force=True)
            except (RootlessError, OSError) as error:
                failures.append(error.message if isinstance(error, RootlessError) else str(error))
        for name in OURS:
            failures += remove_tree(f"{store.root}/{name}")
        failures += _remove_sockets(store)
    except (RootlessError, OSError) as error:
        failures.append(str(error))
    for failure in failures[:10]:
        print(f"rootless: {plain(failure)}", file=sys.stderr)
    sys.stderr.flush()
    return 1 if failures else 0


def _remove_sockets(store: Store) -> list[str]:
    """What our containers left in RUNTIME; what could not be removed. Another store's may be in use."""
    from rootless.storage.remove_tree import remove_tree

    failures: list[str] = []
    try:
        entries = os.listdir(store.runtime + "/c")
    except OSError:
        return failures
    for entry in entries:
        path = f"{store.runtime}/c/{entry}"
        try:
            ours = os.readlink(path + "/root") == store.root
        except OSError:
            continue
        if ours:
            failures += remove_tree(path)
    try:
        os.rmdir(store.runtime + "/c")
    except OSError:
        pass  # somebody else's are there
    return failures
