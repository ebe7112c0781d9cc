"""A client's place at a container, whether that runs already or is to be started: what the API's attach and wait are.

    with Attachment(store, identifier, stdin=True) as attachment:
        ...                                       # from here on no byte is missed: answer the request
        connection = attachment.wait(hangup=fd)   # at once where it runs; None: removed, or the client has gone
        attach.relay(connection, ...)             # docs/development/monitor.md, Attach protocol

Docker's command line attaches to the created container and starts it afterwards.
"""

from __future__ import annotations

import select

from rootless.engine.lifecycle.attach import attach
from rootless.engine.lifecycle.attach.attachers import Registration
from rootless.engine.state import running
from rootless.engine.state.config import read_config
from rootless.engine.state.events import events
from rootless.errors import Conflict, NotFound
from rootless.linux import socket
from rootless.linux.inotify import IN_DELETE_SELF, IN_MOVE_SELF, IN_MOVED_TO, Inotify
from rootless.storage.containers import containers
from rootless.storage.store import Store

LOOK_MS = 1000
"""Between two looks at what the kernel does not tell of."""
OWN_STDIN = bytes([attach.STDIN])
"""No byte of input: the sender is who types, and the container's stdin ends with him unless that is kept open."""


class Attachment:
    """Connected with a container's monitor, or registered for the next start, when this is made. Wants no session.

    `stdin`: the container's stdin ends with this client, where it is not to stay open (`run -d -i`; of the API:
    StdinOnce). Several clients may attach. Conflict, in Docker's words, for a container that is paused, or about to be
    restarted; NotFound. Writes the event `attach`.
    """

    def __init__(self, store: Store, identifier: str, *, stdin: bool = False) -> None:
        self.connection: socket.socket | None = None
        """The monitor's, as of attach.connect(); None before the start. Belongs to this object."""
        self._store, self._identifier, self._stdin = store, identifier, stdin
        self._registration: Registration | None = None
        self._removal: Inotify | None = None
        record = read_config(store, identifier)
        try:
            self._join()
        except BaseException:
            self.close()
            raise
        events.container(store, "attach", record)

    def _join(self) -> None:
        while True:
            state = containers.status(self._store, self._identifier).state
            if state in ("paused", "restarting"):
                raise Conflict(
                    f"container {self._identifier} is {state}, "
                    + (
                        "unpause the container before attach"
                        if state == "paused"
                        else "wait until the container is running"
                    )
                )
            found = running.find(self._store, self._identifier)
            if found is not None:
                with found:
                    if self._connected(found):
                        return
            else:
                # A start that is under way ends first: it has looked for clients already.
                with containers.lock(self._store, self._identifier):
                    running.refuse_elsewhere(self._store, self._identifier)
                    again = running.find(self._store, self._identifier)
                    if again is None:
                        self._removal = watch_removal(self._store, self._identifier)
                        self._registration = Registration(self._store, self._identifier)
                        return
                    again.close()

    def _connected(self, found: running.RunningContainer) -> bool:
        try:
            self._take(attach.connect(running.run_directory(self._store, self._identifier)))
        except Conflict:
            if found.wait(1.0):
                return False  # it was about to end
            raise
        return True

    def _take(self, connection: socket.socket) -> None:
        self.connection = connection
        if self._stdin:
            attach.send(connection, OWN_STDIN)

    def wait(self, hangup: int | None = None) -> socket.socket | None:
        """Wait for the start: the connection, whose first output is the container's first.

        None where the container is removed instead, or `hangup`, a descriptor, is hung up from the other side (both
        directions: a client that has only said all it has to say goes on listening). A start that fails ends the
        connection without a word of how the container ended: attach.relay()'s Outcome(None, detached=False).
        """
        poller = select.poll()
        if hangup is not None:
            poller.register(hangup, 0)
        for source in (self._registration, self._removal):
            if source is not None:
                poller.register(source, select.POLLIN)
        while self.connection is None and self._registration is not None:
            ready = [fd for fd, _ in poller.poll(LOOK_MS if self._removal is None else None)]
            connection = self._registration.accept()
            if connection is not None:
                self._take(connection)
                self._registration.close()
                if self._removal is not None:
                    self._removal.close()  # of these a user has few
            elif hangup in ready or not running.exists(self._store, self._identifier):
                return None
            elif self._removal is not None:
                self._removal.drain()
        return self.connection

    def close(self) -> None:
        """Leave. What is attached is detached; the container goes on. Idempotent."""
        for source in (self._registration, self._removal, self.connection):
            if source is not None:
                source.close()

    def __enter__(self) -> Attachment:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def watch_removal(store: Store, identifier: str) -> Inotify | None:
    """Told when the container's directory goes, or a start or an end is recorded in it: look then. As watch()."""
    return watch(containers.directory(store, identifier), IN_MOVED_TO | IN_MOVE_SELF | IN_DELETE_SELF, identifier)


def watch(path: str, mask: int, identifier: str) -> Inotify | None:
    """Told of changes of a directory of the container: look then. None where this user has as many inotify instances, or
    watches, as the kernel allows (`rootless doctor` tells): look every LOOK_MS then. NotFound."""
    inotify = None
    try:
        inotify = Inotify()
        inotify.watch(path, mask)
    except FileNotFoundError:
        if inotify is not None:
            inotify.close()
        raise NotFound(f"No such container: {identifier}") from None
    except OSError:
        if inotify is not None:
            inotify.close()
        return None
    return inotify
