"""`builder prune`, and the budget at the end of a build: what was used longest ago goes first.

A step stands on those below it, and whoever uses it uses them: by the times of their use, and where those are the
same by their depth, a step never goes before those that stand on it.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from typing import NamedTuple

from rootless.build.cache import fetched, in_use, records
from rootless.build.cache import mounts as cache_mounts
from rootless.build.cache.usage import Entry, entries
from rootless.storage.layers import step_names, steps
from rootless.storage.maintenance import gc
from rootless.storage.remove_tree import remove_tree
from rootless.storage.store import Store, open_lock


class Filters(NamedTuple):
    """What of it is to go: unused since `until` (seconds since the epoch), by `kind` and `ids`; `every`, also
    what images have; until no more than `keep_bytes` are left."""

    until: float = 0.0
    kinds: frozenset[str] = frozenset()
    ids: tuple[str, ...] = ()
    every: bool = False
    keep_bytes: int = -1


def prune(store: Store, filters: Filters) -> list[Entry]:
    """Delete what the filters say, but for what running builds have used (in_use.py); what went. Wants the session
    joined. What was left half-made goes, too, where no build, pull or push is going on."""
    lock = open_lock(store.root + "/gc.lock")
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            alone = True
        except BlockingIOError:
            alone = False
        if alone:
            sweep(store)
        gone = list(_prune(store, filters))
        if alone:
            _drop_orphans(store)
    finally:
        os.close(lock)
    gc.collect(store)
    return gone


def _prune(store: Store, filters: Filters) -> Iterator[Entry]:
    everything = entries(store)
    left = sum(entry.size for entry in everything if not entry.shared)
    for entry in everything:
        if filters.keep_bytes >= 0 and left <= filters.keep_bytes:
            break
        if (filters.until and entry.used > filters.until) or (entry.shared and not filters.every):
            continue
        if filters.kinds and entry.kind not in filters.kinds:
            continue
        if filters.ids and not any(entry.id.startswith(one) for one in filters.ids):
            continue
        if _remove(store, entry):
            left -= 0 if entry.shared else entry.size
            yield entry


def _remove(store: Store, entry: Entry) -> bool:
    """Whether it could be: a build may have it."""
    if entry.kind in fetched.KINDS:
        with in_use.deleting(store) as used_since:
            return fetched.remove(store, entry.kind, entry.id, used_since=used_since)
    if entry.kind == "exec.cachemount":
        where = f"{cache_mounts.top(store)}/{entry.id}"
        gone = f"{cache_mounts.top(store)}/.rm-{os.urandom(6).hex()}"
        lock = open_lock(where + "/lock")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.rename(where, gone)
        except OSError:
            return False  # a RUN has it
        finally:
            os.close(lock)
        remove_tree(gone)
        return True
    with in_use.deleting(store) as used_since:
        try:
            record = records.read(store, entry.id)
            if records.last_use(store, entry.id) >= used_since:
                return False
        except FileNotFoundError:
            return False
        records.remove(store, entry.id)
        gone = steps.set_aside(store, record.step) if record is not None and record.step else ""
    if gone:
        steps.discard(gone)
    return True


def _drop_orphans(store: Store) -> None:
    """Steps that no record names: of builds that were killed between the two, or done again since."""
    named = {used.record.step for used in records.every(store)}
    for step in step_names.names(store):
        if step not in named:
            steps.remove(store, step)


def sweep(store: Store) -> None:
    """Delete what killed builds and prunes left half-made."""
    steps.sweep(store)
    fetched.sweep(store)
    now = time.time()
    for directory in (cache_mounts.top(store), records.directory(store)):
        try:
            names = os.listdir(directory)
        except FileNotFoundError:
            continue
        for name in names:
            where = f"{directory}/{name}"
            if name.startswith(".rm-") or (name.startswith(".new-") and _is_old(where, now)) or name.endswith(".tmp"):
                remove_tree(where)


def _is_old(path: str, now: float) -> bool:
    try:
        return now - os.stat(path).st_mtime > 3600
    except FileNotFoundError:
        return False
