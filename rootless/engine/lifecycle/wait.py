"""`wait`: until a container has ended, or is removed, and how it ended.

    with Waiter(store, identifier, "next-exit") as waiter:
        ...                                  # the waiter is registered: what happens from here on counts
        ended = waiter.wait(hangup=fd)       # None: the client of `hangup` has gone

The monitor tells each waiter the status itself, so that a --rm container cannot vanish before it is read.
"""

from __future__ import annotations

import os
import select

from rootless.engine.lifecycle.attach import attach
from rootless.engine.lifecycle.attach.attachers import Registration
from rootless.engine.lifecycle.attach.attachment import LOOK_MS, watch_removal
from rootless.engine.state import running
from rootless.errors import Conflict, InvalidInput, NotFound
from rootless.linux import process, socket
from rootless.linux.inotify import Inotify
from rootless.linux.struct import unpack_from
from rootless.record import Record
from rootless.storage.containers import containers
from rootless.storage.containers.restart import run_of
from rootless.storage.store import Store

CONDITIONS = ("not-running", "next-exit", "removed")
"""Docker's: it does not run, now or as soon as it ends; it ends, from now on; it is removed."""
ALIVE = ("running", "paused", "restarting")
"""States of what has not ended for good."""


class Exit(Record):
    """How a container ended. `code` is its exit code (0: it never ran), `error` why that is not its own (Docker's
    Error.Message), else ""."""

    code: int
    error: str = ""


class Waiter:
    """Registered when it is made; wait() once. Wants no session.

    NotFound; Conflict for a container that runs in another pid namespace.
    """

    def __init__(self, store: Store, identifier: str, condition: str = "not-running") -> None:
        if condition not in CONDITIONS:
            raise InvalidInput(f'invalid condition: "{condition}"', hint="one of " + ", ".join(CONDITIONS))
        self._store, self._identifier, self._condition = store, identifier, condition
        self._connection: socket.socket | None = None
        self._registration: Registration | None = None
        self._removal: Inotify | None = None
        self._lock = -1
        self._mute = ""  # the run whose monitor has no word for us
        self._done: Exit | None = None
        status = containers.status(store, identifier)
        self._last = Exit(status.exit_code, status.error)
        self._before, self._over = (
            run_of(running.read_state(store, identifier)),
            status.state not in ("running", "paused"),
        )
        try:
            if condition == "removed":
                self._removal = watch_removal(store, identifier)
                self._lock = os.open(
                    containers.directory(store, identifier) + "/lock", os.O_RDONLY | os.O_CLOEXEC
                )
            self._join()
        except FileNotFoundError:
            self.close()
            raise NotFound(f"No such container: {identifier}") from None
        except BaseException:
            self.close()
            raise

    def _join(self) -> None:
        """Be connected with the monitor of what runs, or registered for the start of what does not."""
        while self._done is None and self._connection is None and self._registration is None:
            state = containers.status(self._store, self._identifier).state
            if state in ("running", "paused"):
                running.refuse_elsewhere(self._store, self._identifier)
                self._connect()
                return
            self._look()
            if self._done is not None or (self._condition == "removed" and state == "exited"):
                return  # told of the next start by the change of the directory
            # A start that is under way ends first: it has looked for clients already.
            with containers.lock(self._store, self._identifier):
                if containers.status(self._store, self._identifier).state not in ("running", "paused"):
                    self._registration = Registration(self._store, self._identifier)

    def _connect(self) -> None:
        if run_of(running.read_state(self._store, self._identifier)) == self._mute:
            return
        try:
            self._take(attach.connect(running.run_directory(self._store, self._identifier)))
        except Conflict:
            self._mute = run_of(running.read_state(self._store, self._identifier))

    def _take(self, connection: socket.socket) -> None:
        self._connection = connection
        attach.send(connection, attach.ONLY_END)

    def wait(self, hangup: int | None = None) -> Exit | None:
        """Wait until the condition holds: how the container ended. None where `hangup`, a descriptor, is hung up from
        the other side, both directions. RootlessError where the monitor is stopped and the container has ended."""
        while self._done is None:
            try:
                self._join()
                if self._done is None and not self._wait_for_news(hangup):
                    return None
            except NotFound:
                self._done = self._removed()
        return self._done

    def _removed(self) -> Exit:
        self._accept()
        while self._connection is not None:  # what the monitor said before
            poller = select.poll()
            poller.register(self._connection, select.POLLIN)
            if not poller.poll(0):
                break
            self._receive(self._connection)
        if self._done is not None:
            return self._done
        if self._lock >= 0:
            import fcntl

            # Who removes it holds this until its name is free and its volumes are gone.
            fcntl.flock(self._lock, fcntl.LOCK_SH)
            return self._last
        return self._last if self._over else Exit(137)

    def _wait_for_news(self, hangup: int | None) -> bool:
        """Wait until something may have changed, and look at it; False where the client has gone."""
        found = running.find(self._store, self._identifier)
        monitor = running.monitor(self._store, self._identifier)
        sources = [self._connection, self._registration, self._removal]
        poller = select.poll()
        for source in (*sources, found.pidfd if found else None, monitor):
            if source is not None:
                poller.register(source, select.POLLIN)
        if hangup is not None:
            poller.register(hangup, 0)
        # PID 1 has ended, and nobody has said how: no descriptor may tell of what comes.
        # Now that their ends will be told: what has happened before that?
        unsaid = found is None and containers.status(self._store, self._identifier).state == "running"
        unwatched = self._condition == "removed" and self._removal is None
        try:
            self._look()
            if self._done is not None:
                return True
            ready = {fd for fd, _ in poller.poll(LOOK_MS if unsaid or unwatched else None)}
        finally:
            for fd in (found.pidfd if found else -1, -1 if monitor is None else monitor):
                if fd >= 0:
                    os.close(fd)
        if hangup in ready:
            return False
        if (
            unsaid
            and not ready
            and process.stopped(
                pid := running.read_state(self._store, self._identifier).get("monitor_pid", 0)
            )
        ):
            raise running.unrecorded(self._identifier, pid)
        self._serve(ready)
        return True

    def _serve(self, ready: set[int]) -> None:
        """Act on what is ready of our own sources."""
        if self._removal is not None and self._removal.fileno() in ready:
            self._removal.drain()
        if self._registration is not None and self._registration.fileno() in ready:
            self._accept()
        elif self._connection is not None and self._connection.fileno() in ready:
            self._receive(self._connection)

    def _accept(self) -> None:
        connection = None if self._registration is None else self._registration.accept()
        if self._registration is not None and connection is not None:
            self._registration.close()
            self._registration = None
            self._take(connection)

    def _receive(self, connection: socket.socket) -> None:
        packet = attach.receive(connection)
        if packet and packet[0] == attach.EXITED and len(packet) >= 5:
            self._last = Exit(attach.exit_code(unpack_from("=i", packet, 1)[0]))
            self._over = True
            if self._condition != "removed":
                self._done = self._last
        elif packet:
            return  # output that was on its way before we said that we do not want it
        else:
            self._mute = run_of(running.read_state(self._store, self._identifier))
        connection.close()
        self._connection = None

    def _look(self) -> None:
        """Whether the condition holds, by what the files say. NotFound where the container is gone."""
        state = running.read_state(self._store, self._identifier)
        status = containers.status(self._store, self._identifier)
        if status.state == "removing":
            raise NotFound(f"No such container: {self._identifier}")
        run, ended = run_of(state), bool(state.get("pid")) and status.state in ("exited", "restarting")
        if ended:
            self._last = Exit(status.exit_code, status.error)
        if self._condition == "not-running" and status.state not in ALIVE:
            self._done = Exit(status.exit_code, status.error)
        elif self._condition == "next-exit" and ended and not (self._over and run == self._before):
            self._done = self._last

    def close(self) -> None:
        """Wait no more. Idempotent."""
        for source in (self._registration, self._removal, self._connection):
            if source is not None:
                source.close()
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def __enter__(self) -> Waiter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def wait(store: Store, identifier: str, condition: str = "not-running") -> int:
    """Block until the condition holds; the container's exit code. One that never ran counts as ended: 0."""
    with Waiter(store, identifier, condition) as waiter:
        ended = waiter.wait()
    assert ended is not None  # nobody can hang up
    return ended.code
