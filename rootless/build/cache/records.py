"""What is remembered of a step: its key, and the layer that came of it.

    build/cache/<hex of the key>.json   {"parts", "step", "created", "name", "seconds"}; its mtime: when it was used last
    build/cache/.lock-<hex>             flocked by who does that step

Not fsynced: one that a power cut emptied is no JSON and counts as missing, as a layer of that boot does.
"""

from __future__ import annotations

import os
import time
from collections.abc import Container
from typing import Any, NamedTuple

from rootless import atomic
from rootless.build.cache import in_use
from rootless.build.cache.keys import Key
from rootless.linux.process import boot_id
from rootless.storage import shape
from rootless.storage.layers import layer_lock, layers
from rootless.storage.store import Store, make_directory

_FIELDS = {"parts": dict, "step": str, "created": str, "name": str}


class CacheRecord(NamedTuple):
    """The result of a step that was done: `step` names its layer, "" where it changed nothing. `origin` is the cache
    that it was imported from, "" where it was done here: only builds that name that cache take it."""

    key: str
    parts: dict[str, Any]
    step: str
    created: str
    name: str
    origin: str = ""


def directory(store: Store) -> str:
    return f"{store.root}/build/cache"


def _path(store: Store, key: str) -> str:
    return f"{directory(store)}/{key}.json"


def read(store: Store, key: str) -> CacheRecord | None:
    """The record as it stands, whether or not its layer is there still."""
    try:
        found = atomic.read_json(_path(store, key))
    except (OSError, ValueError):
        return None
    if not shape.fits(found, _FIELDS):
        return None
    origin = str(found.get("origin", ""))
    return CacheRecord(key, found["parts"], found["step"], found["created"], found["name"], origin)


def find(store: Store, key: str, *, used: float, origins: Container[str] = frozenset()) -> CacheRecord | None:
    """The record of a result that can be used, noted as used at `used` (seconds since the epoch); None: a miss.

    `origins` are the caches that the build may import from."""
    with in_use.looking(store):
        record = read(store, key)
        if record is None or (record.origin and record.origin not in origins) or (record.step and not is_whole(store, record.step)):
            return None
        try:
            os.utime(_path(store, key), (used, used))
        except OSError:
            pass  # a store that can only be read
        return record


def last_use(store: Store, key: str) -> float:
    """When the record was used last, seconds since the epoch. FileNotFoundError."""
    return os.stat(_path(store, key)).st_mtime


def is_whole(store: Store, step: str) -> bool:
    """Whether the layer of `step` is there, and as it was written."""
    where = layers.directory(store, step)
    return layers.is_synced(where, boot_id())


def write(
    store: Store, key: Key, *, step: str, created: str, name: str, origin: str = "", used: float = 0.0
) -> CacheRecord:
    """Remember the result of a step, in the place of an older one. Used now, or at `used` where the clock has gone back."""
    make_directory(directory(store))
    fields = {"parts": key.parts, "step": step, "created": created, "name": name, "origin": origin}
    atomic.write_json(_path(store, key.hex), fields, durable=False)
    if used > time.time():
        os.utime(_path(store, key.hex), (used, used))
    return CacheRecord(key.hex, key.parts, step, created, name, origin)


def doing(store: Store, key: str) -> layer_lock.held:
    """While held, nobody else does that step: who waited for it looks for the record again."""
    make_directory(directory(store))
    return layer_lock.held(f"{directory(store)}/.lock-{key}")


def remove(store: Store, key: str) -> None:
    """Forget the record; its step is steps.remove's."""
    try:
        os.unlink(_path(store, key))
    except FileNotFoundError:
        pass


class Used(NamedTuple):
    """A record with when it was used last (seconds since the epoch)."""

    record: CacheRecord
    used: float


def every(store: Store) -> list[Used]:
    """All records, those used longest ago first."""
    try:
        entries = os.listdir(directory(store))
    except FileNotFoundError:
        return []
    found = []
    for entry in entries:
        if entry[0] == "." or not entry.endswith(".json"):
            continue
        record = read(store, entry.removesuffix(".json"))
        if record is not None:
            try:
                found.append(Used(record, os.stat(f"{directory(store)}/{entry}").st_mtime))
            except FileNotFoundError:
                continue
    return sorted(found, key=lambda one: one.used)
