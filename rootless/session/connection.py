"""The holder's socket: asking for the session's user namespace, and for its hub.

One connection, both descriptors back (SCM_RIGHTS, unix(7)); a host that allows no network namespace has no hub.
What is to be done where nobody answers is start.py's. Hot path.
"""

from __future__ import annotations

import os

from rootless.linux import socket, struct
from rootless.linux.socket import address_in
from rootless.record import Record

ANSWER_TIMEOUT_S = 3
SOCKET_NAME = "session.sock"
RECORD_NAME = "session.json"
NETD_SOCKET, NETD_VARIABLE = "netd.sock", "ROOTLESS_NETD"
"""The network helper's socket in RUNTIME, and what has its path in the helper's environment (surviving_hub.py)."""
_UCRED = struct.Struct("iII")  # pid, uid, gid: unix(7)


class NoHolder(Exception):
    """No holder of ours answers on the session's socket; `holder_pid` if one is there but silent."""

    def __init__(self, message: str, *, holder_pid: int = 0) -> None:
        super().__init__(message)
        self.holder_pid = holder_pid


class Connection(Record):
    """What the holder gave us: its namespace (ours to close) and its pid."""

    namespace_fd: int
    holder_pid: int


def namespace_from_holder(runtime: str, name: str = SOCKET_NAME) -> int:
    """The session's user namespace as a descriptor, the caller's to close; NoHolder if stale."""
    return ask_holder(runtime, name).namespace_fd


def hub_from_holder(runtime: str) -> tuple[int, int]:
    """The session's hub, a network namespace, as a descriptor, the caller's to close, and the holder's pid.

    -1 for the hub where the holder has none. NoHolder if stale.
    """
    (namespace, *hub), pid = _ask(runtime, SOCKET_NAME)
    os.close(namespace)
    return (hub[0] if hub else -1), pid


def ask_holder(runtime: str, name: str = SOCKET_NAME, *, timeout_s: int = ANSWER_TIMEOUT_S) -> Connection:
    """Connect, and receive the namespace's descriptor. NoHolder: none there, dead, or silent."""
    (namespace, *hub), pid = _ask(runtime, name, timeout_s)
    for fd in hub:
        os.close(fd)
    return Connection(namespace, pid)


def _ask(runtime: str, name: str, timeout_s: int = ANSWER_TIMEOUT_S) -> tuple[list[int], int]:
    """The descriptors of the namespaces, close-on-exec, and the holder's pid; NoHolder."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as client:
        # Kernel timeouts, not settimeout(): that one makes connect fail at once on a full backlog.
        limit = struct.pack("ll", timeout_s, 0)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
        pid = 0
        try:
            with address_in(runtime, name) as address:
                client.connect(address)
            # Of the process that called listen(2): that is why start.py lets the holder's do it.
            pid, uid, _ = _UCRED.unpack(client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))
            answer, descriptors, _, _ = socket.recv_fds(client, 1, 4)
        except OSError as error:
            raise NoHolder(error.strerror or str(error), holder_pid=pid) from error
    if answer != b"S" or not 1 <= len(descriptors) <= 2 or uid != os.getuid():
        for fd in descriptors:
            os.close(fd)
        raise NoHolder("unexpected answer on the session's socket")
    for fd in descriptors:
        os.set_inheritable(fd, False)
    return descriptors, pid
