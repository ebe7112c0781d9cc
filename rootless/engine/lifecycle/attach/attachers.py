"""Clients of a container that come before its start.

    containers/<id>/attachers/<16 hex>  ->  RUNTIME/c/<id>/attacher-<16 hex>

Each listens on a socket, to which the link leads: who starts the container need not have the same RUNTIME. The
start, which holds the container's lock, connects to all of them and hands the connections to the monitor before
PID 1 may run: a client misses no byte, and a start waits for none, since the kernel connects to whoever listens. What a
client that has died left behind refuses, and is removed.
"""

from __future__ import annotations

import errno
import os

from rootless.errors import Conflict
from rootless.linux import socket
from rootless.linux.socket import address_in
from rootless.linux.struct import calcsize, unpack
from rootless.storage.containers import containers
from rootless.storage.store import Store

DIRECTORY = "attachers"
MOST = 256
"""Clients of one container that wait for its start: each is a descriptor of the start."""
_UCRED = "3i"
_NOBODY = 65534  # of a user namespace that does not map us


class Registration:
    """A client that has come before the start. It is found by every start from when this is made until close().

    The caller holds the container's lock meanwhile, so that no start is half over. Conflict where there are too many.
    """

    def __init__(self, store: Store, identifier: str) -> None:
        directory = f"{containers.directory(store, identifier)}/{DIRECTORY}"
        run_dir = store.run_directory(identifier)
        name = os.urandom(8).hex()
        os.makedirs(directory, 0o700, exist_ok=True)
        if len(os.listdir(directory)) >= MOST:
            _sweep(directory)
        if len(os.listdir(directory)) >= MOST:
            raise Conflict(f"container {identifier[:12]}: {MOST} clients wait for its start already")
        self._link = f"{directory}/{name}"
        self._path = f"{run_dir}/attacher-{name}"
        self._listener = socket.socket(
            socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
        )
        try:
            with address_in(run_dir, f"attacher-{name}") as address:
                self._listener.bind(address)
            self._listener.listen(1)
            os.symlink(self._path, self._link)
        except BaseException:
            self.close()
            raise

    def fileno(self) -> int:
        """A descriptor that becomes readable with the start."""
        return self._listener.fileno()

    def accept(self) -> socket.socket | None:
        """The connection with the monitor, the caller's to close; None where no start has come yet."""
        while True:
            try:
                connection, _ = self._listener.accept()
            except BlockingIOError:
                return None
            if _is_ours(connection):
                return connection
            connection.close()

    def close(self) -> None:
        """No start finds it any more. Idempotent."""
        self._listener.close()
        for path in (self._link, self._path):
            try:
                os.unlink(path)
            except FileNotFoundError:
                pass


def connect(container_dir: str) -> tuple[int, ...]:
    """Connections to all clients that wait for the start, the caller's; it holds the container's lock.

    What they have sent when the monitor comes is read by that: they may send at once.
    """
    found = []
    for name in os.listdir(f"{container_dir}/{DIRECTORY}"):
        link = f"{container_dir}/{DIRECTORY}/{name}"
        try:
            path = os.readlink(link)
        except OSError:
            continue
        connection = socket.socket(
            socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
        )
        try:
            with address_in(*os.path.split(path)) as address:
                connection.connect(address)
        except OSError:  # it has died, or RUNTIME with it
            connection.close()
            _forget(link, path)
            continue
        if _is_ours(connection):
            found.append(connection.detach())
        else:
            connection.close()
    return tuple(found)


def _sweep(directory: str) -> None:
    """Forget the clients that have died. Who lives notices nothing: a socket of another type never gets to its listener."""
    for name in os.listdir(directory):
        link = f"{directory}/{name}"
        try:
            path = os.readlink(link)
        except OSError:
            continue
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as probe:
            try:
                with address_in(*os.path.split(path)) as address:
                    probe.connect(address)
            except OSError as error:
                if error.errno != errno.EPROTOTYPE:
                    _forget(link, path)


def _forget(link: str, path: str) -> None:
    for each in (link, path):
        try:
            os.unlink(each)
        except OSError:
            pass


def _is_ours(connection: socket.socket) -> bool:
    peer = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, calcsize(_UCRED))
    return bool(unpack(_UCRED, peer)[1] == os.geteuid() != _NOBODY)
