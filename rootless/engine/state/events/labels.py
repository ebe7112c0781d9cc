"""The attributes that a line of the log leaves out: all labels of its container or image, and how long that ran.

A line of the monitor's has room for a few labels; `create` and `destroy` have all, and the container's record, while that
is there. Docker gives them to each event, and programs filter by them.
"""

from __future__ import annotations

from typing import Any

from rootless.errors import RootlessError
from rootless.image import run_config
from rootless.storage import images
from rootless.storage.containers import containers
from rootless.storage.store import Store

Entry = dict[str, Any]
WHOLE = ("create", "destroy")
"""Actions whose lines have every label."""
_NOT_LABELS = ("image", "name")


class Attributes:
    """What is known of the containers of the entries read so far; give it every entry, in their order."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._labels: dict[str, dict[str, str]] = {}
        self._started: dict[str, int] = {}
        self._images: dict[str, dict[str, str]] = {}

    def learn(self, entry: Entry) -> None:
        """Remember what later entries of the container lack."""
        identifier, attributes = entry.get("id"), entry.get("attributes")
        if entry.get("type") != "container" or not isinstance(identifier, str) or not isinstance(attributes, dict):
            return
        if entry["action"] in WHOLE:
            self._labels[identifier] = {key: value for key, value in attributes.items() if key not in _NOT_LABELS}
        elif entry["action"] == "start":
            self._started[identifier] = entry["time_ns"]

    def complete(self, entry: Entry) -> None:
        """Add what the entry lacks: Docker's attributes of it."""
        identifier, attributes = entry.get("id"), entry.get("attributes")
        if not isinstance(identifier, str) or not isinstance(attributes, dict):
            return
        if entry.get("type") == "image":
            entry["attributes"] = {**self._of_image(identifier), **attributes}
        if entry.get("type") != "container":
            return
        if entry["action"] not in WHOLE:
            entry["attributes"] = attributes = {**self._of(identifier), **attributes}
        if entry["action"] == "die" and identifier in self._started:
            seconds = max(0, entry["time_ns"] - self._started[identifier]) // 1_000_000_000
            attributes.setdefault("execDuration", str(seconds))

    def _of(self, identifier: str) -> dict[str, str]:
        if identifier not in self._labels:
            self._labels[identifier] = self._recorded(identifier) if len(identifier) == 64 else {}
        return self._labels[identifier]

    def _of_image(self, identifier: str) -> dict[str, str]:
        """The labels of an image that is there."""
        if identifier not in self._images:
            try:
                found = images.find(self._store, identifier, all_names=False)
                labels = run_config.read(found.config.get("config")).labels
            except RootlessError:
                labels = {}  # removed, or damaged
            self._images[identifier] = {key: word.text for key, word in labels.items()}
        return self._images[identifier]

    def _recorded(self, identifier: str) -> dict[str, str]:
        try:
            return dict(containers.config(self._store, identifier, {"labels": {str: str}})["labels"])
        except RootlessError:
            return {}  # removed, and its `create` is in no log any more; or damaged
