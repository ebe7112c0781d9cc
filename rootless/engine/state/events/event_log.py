"""Reading the log of events: what was, and what comes, in Docker's shape."""

from __future__ import annotations

import json
import os
import select
import time
from collections.abc import Callable, Iterator
from typing import Any

from rootless.engine.options import clock
from rootless.engine.state.events.consequences import expand
from rootless.engine.state.events.events import LOG_NAME
from rootless.engine.state.events.labels import Attributes
from rootless.errors import InvalidInput
from rootless.linux.inotify import IN_CREATE, IN_MODIFY, IN_MOVED_TO, Inotify
from rootless.storage.store import Store

POLL_S = 0.1
"""Between two looks at the log where the kernel does not tell of changes."""
MEANWHILE_S = 1.0
"""Between two calls of what else is to be looked after."""
FILTERS = (
    "config", "container", "daemon", "event", "image", "label", "network", "node", "plugin", "pod", "scope", "secret", "service",
    "type", "volume",
)  # fmt: skip
TYPES = (
    "builder",
    "config",
    "container",
    "daemon",
    "image",
    "network",
    "node",
    "plugin",
    "pod",
    "secret",
    "service",
    "volume",
)
_WITH_A_COMMAND = ("exec_create", "exec_start", "health_status")
"""Actions that go on after a colon: a filter may name them without."""


def follow(
    store: Store, *, since_ns: int | None, until_ns: int | None, filters: dict[str, list[str]],
    meanwhile: Callable[[], None] = lambda: None, hangup: int | None = None,
) -> Iterator[dict[str, Any]]:  # fmt: skip
    """The events from `since_ns` (None: from now, or from the first where there is an end) to `until_ns`
    (None: for ever; waits for what comes).

    `meanwhile` is called about once a second: it may write events that no other process writes. It ends, too, when
    `hangup`, a descriptor, is hung up from the other side, both directions.

    In Docker's shape (API v1.51, EventMessage), with all labels of a container. With neither it waits until interrupted.
    """
    check(filters)
    path = store.root + "/events"
    begin = since_ns if since_ns is not None else time.time_ns() if until_ns is None else 0
    names: dict[str, str] = {}
    attributes = Attributes(store)
    with _Changes(path, hangup) as changes:
        for entry in _entries(path, until_ns, meanwhile, changes):
            _rename(entry, names)
            attributes.learn(entry)
            if until_ns is not None and entry["time_ns"] > until_ns:
                return
            if entry["time_ns"] >= begin:
                attributes.complete(entry)
                yield from (to_docker(each) for each in expand(entry) if matches(each, filters))


def check(filters: dict[str, list[str]]) -> None:
    """InvalidInput for a type of object that Docker has no events of."""
    for kind in filters.get("type", []):
        if kind not in TYPES:
            raise InvalidInput(f"invalid filter 'type={kind}'", hint="container, image, volume, network or pod")


def has(store: Store, identifier: str, action: str, since_ns: int) -> bool:
    """Whether the log has `action` of this container, not before `since_ns`."""
    return any(
        entry["action"] == action and entry.get("id") == identifier and entry["time_ns"] >= since_ns
        for entry in _entries(store.root + "/events", 0, lambda: None, None)
    )


class _Changes:
    """Waits for the log's next line."""

    def __init__(self, path: str, hangup: int | None) -> None:
        self._hangup = hangup
        self._poller = select.poll()
        self._inotify: Inotify | None = None
        if hangup is not None:
            self._poller.register(hangup, 0)
        try:
            self._inotify = Inotify()
            self._inotify.watch(path, IN_CREATE | IN_MODIFY | IN_MOVED_TO)
        except OSError:
            self.close()  # there is no log yet, or too many watch something: it is looked at again and again
        else:
            self._poller.register(self._inotify.fileno(), select.POLLIN)

    def wait(self, longest_s: float) -> bool:
        """Wait for a change, or so long; False where the reader has gone."""
        ready = self._poller.poll(1000 * (longest_s if self._inotify is not None else min(POLL_S, longest_s)))
        if self._inotify is not None:
            self._inotify.drain()
        return self._hangup is None or self._hangup not in [fd for fd, _ in ready]

    def close(self) -> None:
        if self._inotify is not None:
            self._inotify.close()
            self._inotify = None

    def __enter__(self) -> _Changes:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _entries(
    path: str, until_ns: int | None, meanwhile: Callable[[], None], changes: _Changes | None
) -> Iterator[dict[str, Any]]:
    yield from _lines(f"{path}/{LOG_NAME}.1", [b""])
    rest = [b""]
    position, inode, due = 0, 0, time.monotonic() + MEANWHILE_S
    while True:
        # First the clock, then the file: what is older than the limit has been read when we stop.
        over = until_ns is not None and time.time_ns() > until_ns
        try:
            with open(f"{path}/{LOG_NAME}", "rb") as file:
                status = os.fstat(file.fileno())
                if status.st_ino != inode:
                    if inode:  # rotated: what was written after our last look is in the one before
                        yield from _lines(f"{path}/{LOG_NAME}.1", rest, position)
                    position, inode, rest = 0, status.st_ino, [b""]
                if status.st_size > position:
                    file.seek(position)
                    data = file.read(status.st_size - position)
                    position += len(data)
                    yield from _parse(data, rest)
        except FileNotFoundError:
            pass
        if over or changes is None:
            return
        left_s = due - time.monotonic()
        if left_s <= 0:
            meanwhile()
            due = time.monotonic() + MEANWHILE_S
            continue
        if until_ns is not None:
            left_s = min(left_s, max(0.0, (until_ns - time.time_ns()) / 1e9) + 0.001)
        if not changes.wait(left_s):
            return


def _lines(path: str, rest: list[bytes], position: int = 0) -> Iterator[dict[str, Any]]:
    try:
        with open(path, "rb") as file:
            file.seek(position)
            yield from _parse(file.read(), rest)
    except FileNotFoundError:
        return


def _parse(data: bytes, rest: list[bytes]) -> Iterator[dict[str, Any]]:
    *lines, rest[0] = (rest[0] + data).split(b"\n")
    for line in lines:
        # A torn line has no end of its own: the next event stands behind it.
        start = line.rfind(b'{"time_ns":')
        try:
            entry = json.loads(line[max(0, start) :])
        except ValueError:
            continue
        if isinstance(entry, dict) and isinstance(entry.get("time_ns"), int) and "action" in entry:
            yield entry


def _rename(entry: dict[str, Any], names: dict[str, str]) -> None:
    """Give a container that has been renamed its name of then: its own lines keep the one it was made with."""
    attributes, identifier = entry.get("attributes"), entry.get("id")
    if (
        entry.get("type") != "container"
        or not isinstance(attributes, dict)
        or not isinstance(identifier, str)
    ):
        return
    if entry["action"] == "rename":
        names[identifier] = str(attributes.get("name", ""))
    elif identifier in names:
        attributes["name"] = names[identifier]


def matches(entry: dict[str, Any], filters: dict[str, list[str]]) -> bool:
    """Whether an entry of the log passes: any value of a key, all keys (Docker's rule). Pure."""
    kind, identifier = entry.get("type", ""), str(entry.get("id", ""))
    attributes: dict[str, str] = entry.get("attributes") or {}
    for key, wanted in filters.items():
        if key == "event":
            word, _, more = str(entry["action"]).partition(":")
            passes = entry["action"] in wanted or bool(more and word in _WITH_A_COMMAND and word in wanted)
        elif key == "type":
            passes = kind in wanted
        elif key == "label":
            passes = all(_label(attributes, word) for word in wanted)
        elif key == "container":
            name = attributes.get("name", "")
            passes = kind == "container" and any(name == w or identifier.startswith(w) for w in wanted)
        elif key == "image":
            name = attributes.get("image" if kind == "container" else "name", "")
            found = {name, _without_tag(name), identifier}
            passes = kind in ("container", "image") and bool(found & set(wanted))
        elif key == "scope":
            passes = "local" in wanted
        elif key == "network":
            passes = kind == "network" and any(w in (attributes.get("name"), identifier) for w in wanted)
        elif key == "pod":
            passes = kind == key and any(w in (attributes.get("name"), identifier) for w in wanted)
        else:
            passes = kind == key and identifier in wanted
        if not passes:
            return False
    return True


def _without_tag(name: str) -> str:
    repository, colon, tag = name.rpartition(":")
    return repository if colon and "/" not in tag else name


def _label(attributes: dict[str, str], word: str) -> bool:
    key, equals, value = word.partition("=")
    return key in attributes and (not equals or attributes[key] == value)


def to_docker(entry: dict[str, Any]) -> dict[str, Any]:
    """Docker's EventMessage."""
    attributes = entry.get("attributes") or {}
    found: dict[str, Any] = {}
    if entry.get("type") in ("container", "image"):
        found = {"status": entry["action"], "id": entry.get("id", "")}
    if entry.get("type") == "container":
        found["from"] = attributes.get("image", "")
    return {
        **found,
        "Type": entry.get("type", ""),
        "Action": entry["action"],
        "Actor": {"ID": entry.get("id", ""), "Attributes": attributes},
        "scope": "local",
        "time": entry["time_ns"] // 1_000_000_000,
        "timeNano": entry["time_ns"],
    }


def words(message: dict[str, Any]) -> str:
    """The line that `docker events` prints for a message."""
    actor = message["Actor"]
    attributes = ", ".join(f"{key}={value}" for key, value in sorted(actor["Attributes"].items()))
    shown = f" ({attributes})" if attributes else ""
    return f"{clock.from_nanoseconds(message['timeNano'])} {message['Type']} {message['Action']} {actor['ID']}{shown}"
