"""What a build may take from caches elsewhere.

An entry there supplies the layer of a key that was computed here, and nothing else. Its layer is fetched when it
is needed: as the ground of a step that is done, as the source of a copy, for the image. Until then it is absent, and
the steps above it are found all the same. Where it cannot be had then, the entry is forgotten, and the build begins
again, with what it did meanwhile in the cache.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from rootless.build.cache import in_use, records
from rootless.build.cache.keys import Key
from rootless.build.cache.records import CacheRecord
from rootless.build.progress.vertices import Progress, Vertex
from rootless.build.remotecache.places import Place
from rootless.build.stage_state import StageState
from rootless.errors import RootlessError
from rootless.storage.layers import layers, steps
from rootless.storage.store import Store

if TYPE_CHECKING:
    from rootless.build.remotecache.document import Entry
    from rootless.build.remotecache.sources import Source
    from rootless.image.transfer.layers import Layer


class Absent(Exception):
    """Layers are wanted that were not fetched yet: `steps`."""

    def __init__(self, steps: list[str]) -> None:
        super().__init__(", ".join(steps))
        self.steps = steps


class Lost(Exception):
    """The layer of `step` cannot be had; `reason` is "" where there never was one."""

    def __init__(self, step: str, reason: str) -> None:
        super().__init__(reason)
        self.step, self.reason = step, reason


class Imported:
    """For one build. `read` are the caches, the first that knows a key wins."""

    def __init__(self, store: Store, read: Sequence[Source] = (), epoch: int | None = None) -> None:
        self._store = store
        # The layers of an image that has its cache inside are those of that image's time.
        self._sources = [one for one in read if one.document.epoch in (None, epoch)]
        self.origins = frozenset(one.identity for one in self._sources)
        self._entries: dict[str, tuple[Entry, Source]] = {}
        self._absent: dict[str, tuple[Entry, Source, Key]] = {}
        self._digests: dict[str, str] = {}
        for source in reversed(self._sources):
            self._entries |= {entry.key: (entry, source) for entry in source.document.records}
            self._digests |= source.document.digests

    def digest(self, question: str) -> str:
        """The answer to a question of cache/digests.py; "" where nobody knows it."""
        return self._digests.get(question, "")

    def find(self, key: Key) -> CacheRecord | None:
        """The record of a result that was done elsewhere; its layer may be absent."""
        found = self._entries.get(key.hex)
        if found is None:
            return None
        entry, source = found
        with in_use.looking(self._store):
            there = not entry.step or self._has(entry)
            if entry.step and there:
                self._note(entry, source, key)
        if not there:
            if steps.exists(self._store, entry.step):
                return None  # of that name there is another here
            self._absent[entry.step] = (entry, source, key)
        return CacheRecord(key.hex, key.parts, entry.step, entry.created, "", source.identity)

    def _has(self, entry: Entry) -> bool:
        diff_id = entry.diff_id
        return bool(diff_id) and layers.has(self._store, diff_id) and steps.adopt(self._store, entry.step, diff_id)

    def _note(self, entry: Entry, source: Source, key: Key) -> None:
        records.write(
            self._store, key, step=entry.step, created=entry.created, name="(imported)", origin=source.identity
        )

    def absent(self, names: Sequence[str]) -> list[str]:
        """Which of the layers are not here."""
        return [name for name in names if name in self._absent]

    def descriptor(self, step: str) -> Layer | None:
        """The blob of an absent layer, where its source has it."""
        entry, source, _ = self._absent[step]
        return source.layer(entry.diff_id)

    def fetch(self, step: str) -> str:
        """Make the absent layer one of the store, in a worker: "", or why that cannot be ("-": no layer goes with it)."""
        entry, source, key = self._absent[step]
        layer = self.descriptor(step)
        if layer is None:
            return "-"
        try:
            source.origin.fetch(self._store, layer)
        except RootlessError as error:
            return error.message
        except OSError as error:
            return str(error)
        with in_use.looking(self._store):
            if not steps.adopt(self._store, step, entry.diff_id):
                return "another step has its name"
            self._note(entry, source, key)
        return ""

    def fetching(self, step: str) -> Callable[[object], str]:
        """`fetch` for a worker, which is given something to report by."""
        return lambda _: self.fetch(step)

    def fetched(self, step: str) -> None:
        """It is here now."""
        self._absent.pop(step, None)

    def forget(self, step: str) -> None:
        """Nothing is to be found any more that needs its layer."""
        self._entries = {key: found for key, found in self._entries.items() if found[0].step != step}
        self._absent.clear()


class Built(NamedTuple):
    """A build for one platform that is done: its stages, those whose layers the image has, the layers that these
    became (execute/diff_id.py), the answers that its copies had."""

    stages: dict[int, StageState]
    lineage: list[StageState]
    diff_ids: dict[str, dict[str, Any]]
    digests: dict[str, str]
    imported: Imported
    did_something: bool


def read(
    store: Store, places: Sequence[Place], platforms: list[str], epoch: int | None, progress: Progress, *, tls_verify: bool
) -> Imported:
    """The caches at `places`, of images those for `platforms`.

    One that cannot be read is told, and no error, unless it is named by its digest."""
    found = []
    if places:
        from rootless.build.remotecache import sources
    for place in places:
        vertex = Vertex(f"importing cache manifest from {place.where}")
        progress.start(vertex)
        try:
            read = sources.read(place, platforms, tls_verify=tls_verify)
        except RootlessError as error:
            progress.failed(vertex, error.message)
            if sources.is_by_digest(place):
                raise
            progress.warning(f"--cache-from {place.where} is not used: {error.message}")
            continue
        if not read:
            progress.warning(f"--cache-from {place.where} is not used: the image carries no cache")
        found += read
        progress.done(vertex)
    return Imported(store, found, epoch)
