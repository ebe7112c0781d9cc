"""The logs of several containers as one stream, in one process: told by inotify and by the ends of their monitors."""

from __future__ import annotations

import select
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from typing import NamedTuple

from rootless.engine.state import running
from rootless.engine.state.config import read_config
from rootless.engine.state.logs.follow import LogFollower
from rootless.engine.state.logs.logs import Line, Window
from rootless.errors import NotFound, RootlessError
from rootless.linux.inotify import IN_CREATE, IN_MODIFY, IN_MOVED_TO, Inotify
from rootless.storage.containers import containers
from rootless.storage.store import Store

_LOOK_S = 1.0
"""How long nothing may be told before one looks all the same: watches may be fewer than containers."""


class Target(NamedTuple):
    """One container: `shown` is what stands before its lines; one that is not `attached` is watched for its end alone."""

    id: str
    shown: str
    attached: bool = True


class End(NamedTuple):
    """A container has ended, and nothing starts it again."""

    target: Target
    exit_code: int


class LogStream:
    """Relays lines to `emit`. A context manager that closes what it has open."""

    def __init__(self, store: Store, wanted: Window, emit: Callable[[Target, Line], None]) -> None:
        self._store, self._wanted, self._emit = store, wanted, emit
        self._stack = ExitStack()
        self._followed: dict[str, tuple[Target, LogFollower]] = {}
        self._notices: Inotify | None = None

    def __enter__(self) -> LogStream:
        try:
            self._notices = self._stack.enter_context(Inotify())
        except OSError:
            self._notices = None  # the user has no instances left: one looks every second
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def add(self, targets: Iterable[Target]) -> None:
        """Follow these, too; their lines that are there already come at once."""
        for target in targets:
            if target.id in self._followed:
                continue
            directory = containers.directory(self._store, target.id)
            if self._notices is not None:
                try:
                    self._notices.watch(directory, IN_MODIFY | IN_CREATE | IN_MOVED_TO)
                except OSError:
                    pass  # no watch left, or the container is gone

            def monitor(identifier: str = target.id) -> int | None:
                return running.monitor(self._store, identifier)

            follower = self._stack.enter_context(LogFollower(directory, self._wanted, monitor))
            self._followed[target.id] = (target, follower)
            for line in follower.backlog():
                self._give(target, line)

    def _give(self, target: Target, line: Line) -> None:
        if target.attached and readable(self._store, target.id):
            self._emit(target, line)

    def drain(self) -> list[End]:
        """Relay what has come; the containers that have ended since the last time."""
        ends = []
        for identifier, (target, follower) in list(self._followed.items()):
            for line in follower.fresh():
                self._give(target, line)
            if follower.ended:
                del self._followed[identifier]
                ends.append(End(target, self._exit_code(identifier)))
        return ends

    def _exit_code(self, identifier: str) -> int:
        try:
            return containers.status(self._store, identifier).exit_code
        except NotFound:
            return 0

    @property
    def followed(self) -> int:
        """How many containers have not ended."""
        return len(self._followed)

    def wait(self, *more: int) -> list[int]:
        """Wait until something may have come, or one of `more` descriptors is readable; which of those are."""
        poller = select.poll()
        for fd in more:
            poller.register(fd, select.POLLIN)
        if self._notices is not None:
            poller.register(self._notices.fileno(), select.POLLIN)
        for _, follower in self._followed.values():
            if follower.monitor is not None:
                poller.register(follower.monitor, select.POLLIN)
        ready = [fd for fd, _ in poller.poll(_LOOK_S * 1000)]
        if self._notices is not None:
            self._notices.drain()
        return [fd for fd in ready if fd in more]


def readable(store: Store, identifier: str) -> bool:
    """Whether the container's log can be read here: not where it is the journal's, or nobody's."""
    try:
        return read_config(store, identifier)["log"]["driver"] not in ("none", "journald")
    except RootlessError:
        return False
