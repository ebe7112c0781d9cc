"""`wait`: until a container has ended, and how."""

from __future__ import annotations

import select
import sys

from rootless.engine.lifecycle.attach import attach
from rootless.engine.state import running
from rootless.errors import Conflict, NotFound
from rootless.linux import process, socket
from rootless.storage.containers import containers
from rootless.storage.store import Store


def wait(store: Store, identifier: str) -> int:
    """Block until the container has ended; its exit code. A container that never ran counts as ended: 0."""
    while True:
        try:
            connection = attach.connect(running.run_directory(store, identifier))
            break
        except Conflict:
            # A loop, since one wait ends after 30 s, and no monitor exists between a restart's delay and its start.
            status = containers.status(store, identifier)
            if status.state not in ("running", "restarting"):
                return status.exit_code
            running.wait_recorded(store, identifier)
            if (found := running.find(store, identifier)) is not None:
                with found:  # its monitor is gone, or its socket
                    found.wait(1.0)
    # The monitor itself reports the status, so that a --rm container cannot vanish before it is read.
    with connection:
        wait_status = _wait_status(store, identifier, connection)
    if wait_status is not None:
        return attach.exit_code(wait_status)
    try:
        return containers.status(store, identifier).exit_code
    except NotFound:
        return 137


def _wait_status(store: Store, identifier: str, connection: socket.socket) -> int | None:
    """The wait status that the monitor sends, or None if it ends without. RootlessError where the monitor is stopped
    and the container has ended."""
    poller = select.poll()
    poller.register(connection, select.POLLIN)
    found = running.find(store, identifier)
    if found is not None:
        poller.register(found.pidfd, select.POLLIN)
    ended = found is None
    try:
        while True:
            ready = [fd for fd, _ in poller.poll(1000 if ended else None)]
            if connection.fileno() in ready:
                try:
                    packet = connection.recv(attach.PACKET_LIMIT)
                except ConnectionResetError:
                    return None
                if not packet or (packet[0] == attach.EXITED and len(packet) < 5):
                    return None
                if packet[0] == attach.EXITED:
                    return int.from_bytes(packet[1:5], sys.byteorder, signed=True)
            elif found is not None and found.pidfd in ready:
                ended = True
                poller.unregister(found.pidfd)
            elif not ready and process.stopped(pid := running.read_state(store, identifier).get("monitor_pid", 0)):
                raise running.unrecorded(identifier, pid)
    finally:
        if found is not None:
            found.close()
