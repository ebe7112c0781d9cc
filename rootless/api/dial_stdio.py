"""`rootless system dial-stdio`: our standard streams joined to the service's socket.

What `docker -H ssh://` and docker-py's ssh run on the far side. An end of one direction is passed on, and does not end
the other: Docker's clients close their writing side early.
"""

from __future__ import annotations

import os
import select
import socket

from rootless.errors import Unavailable
from rootless.linux.socket import address_in

_SIZE = 64 * 1024


def connect(path: str) -> socket.socket:
    """A connection to the service at `path`. Unavailable where none answers."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    directory, name = os.path.split(path)
    try:
        with address_in(directory, name) as address:
            sock.connect(address)
    except OSError as error:
        sock.close()
        raise Unavailable(
            f"no service listens on {path}: {error.strerror}",
            hint="start one: rootless system service, or rootless system service --install",
        ) from None
    return sock


def join(sock: socket.socket, read_from: int, write_to: int) -> None:
    """Copy both ways until the service has ended its side, or nobody reads us any more."""
    poller = select.poll()
    poller.register(sock, select.POLLIN)
    poller.register(read_from, select.POLLIN)
    while True:
        for fd, _ in poller.poll():
            if fd == sock.fileno():
                data = _received(sock)
                if not data or not _written(write_to, data):
                    return
            else:
                data = os.read(read_from, _SIZE)
                if data and _sent(sock, data):
                    continue
                poller.unregister(read_from)
                if not data:
                    sock.shutdown(socket.SHUT_WR)


def _received(sock: socket.socket) -> bytes:
    try:
        return sock.recv(_SIZE)
    except ConnectionResetError:
        return b""


def _sent(sock: socket.socket, data: bytes) -> bool:
    try:
        sock.sendall(data)
    except (BrokenPipeError, ConnectionResetError):
        return False  # what it has said before its end is still to be read
    return True


def _written(fd: int, data: bytes) -> bool:
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(fd, view) :]
        except BlockingIOError:
            select.select([], [fd], [])
        except BrokenPipeError:
            return False
    return True
