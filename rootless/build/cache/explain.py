"""--explain-cache: why a step was not found in the cache, told by what the same step was made of last time.

    build/traces/<hash of the Dockerfile's place and the target>.json   {vertex of each step: the parts of its key}
"""

from __future__ import annotations

import hashlib
from typing import Any

from rootless import atomic
from rootless.build.cache import keys
from rootless.build.cache.keys import Key
from rootless.storage.store import Store, make_directory


class Trace:
    """The steps of one build, by the names of their stages and their texts."""

    def __init__(self, store: Store, what: str) -> None:
        self._directory = f"{store.root}/build/traces"
        self._path = f"{self._directory}/{hashlib.sha256(what.encode('utf-8', 'surrogateescape')).hexdigest()[:40]}.json"
        self._before = self._read()
        self._now: dict[str, Any] = {}

    def _read(self) -> dict[str, Any]:
        try:
            found = atomic.read_json(self._path)
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def note(self, stage: int, position: int, text: str, key: Key) -> None:
        """The key of the stage's step at `position`, whose vertex is called `text`."""
        self._now[f"{stage}/{position}"] = {"text": text, "parts": key.parts}

    def reason(self, stage: int, position: int, text: str, key: Key) -> str:
        """Why the step was not in the cache."""
        before = self._before.get(f"{stage}/{position}")
        same = [one for one in self._before.values() if _text(one) == _text({"text": text})]
        if same and (before is None or _text(before) != _text({"text": text})):
            before = same[0]
        if not isinstance(before, dict) or not isinstance(before.get("parts"), dict):
            return "this step was not in the last build of this Dockerfile"
        return keys.difference(before["parts"], key.parts)

    def write(self) -> None:
        """Remember this build for the next; what is not written is no loss but of an explanation."""
        try:
            make_directory(self._directory)
            atomic.write_json(self._path, self._now, durable=False)
        except OSError:
            pass


def _text(entry: Any) -> str:
    """A vertex's text without `[stage 2/5]`, which counts."""
    text = entry.get("text", "") if isinstance(entry, dict) else ""
    return str(text).partition("] ")[2]
