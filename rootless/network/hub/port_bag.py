"""The port bag: a container's published sockets, kept in a socket's queue for whoever repairs its network.

A packet that nobody receives, with descriptors and their labels, in the queue of a socket whose other end is closed. The
container's monitor holds that socket, so the kernel keeps what is in it for as long as the container lives: with netd
killed the ports stay bound, and their queues of connections stay. Looking into it (MSG_PEEK) takes nothing out, and has
no state, so several processes may do it at once.

A packet takes 253 descriptors, so a bag of more sockets holds bags. `connect`, `disconnect` and the monitor's
repair-network get the bag of a running container by of_monitor().
"""

from __future__ import annotations

import os

from rootless.linux import process, socket
from rootless.linux.rlimit import many_descriptors
from rootless.record import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_IN_ONE_PACKET = 250
_TEXT_MAX = 64 * 1024
_BAGS = "bags"  # what a packet of bags says instead of labels


def make(sockets: Sequence[tuple[str, int]]) -> int:
    """A bag of these sockets, which stay the caller's too, each with a label of one line; the caller's descriptor.

    OSError: ETOOMANYREFS where the user has more descriptors under way than its hard limit of open ones.
    """
    if len(sockets) <= _IN_ONE_PACKET:
        return _packet("\n".join(label for label, _ in sockets), [fd for _, fd in sockets])
    bags = []
    try:
        for at in range(0, len(sockets), _IN_ONE_PACKET):
            bags.append(make(sockets[at : at + _IN_ONE_PACKET]))
        return _packet(_BAGS, bags)
    finally:
        for bag in bags:
            os.close(bag)


def look(bag: int) -> list[tuple[str, int]]:
    """Copies of the sockets in a bag, the caller's, with their labels, in their order. OSError."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET, 0, os.dup(bag)) as queue:
        text, descriptors, _, _ = socket.recv_fds(queue, _TEXT_MAX, _IN_ONE_PACKET, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    for fd in descriptors:
        os.set_inheritable(fd, False)
    if text.decode() != _BAGS:
        return list(zip(text.decode().split("\n"), descriptors, strict=False))
    found = []
    for inner in descriptors:
        found += look(inner)
        os.close(inner)
    return found


def of_monitor(pid: int, number: int) -> int:
    """A copy of the bag that the monitor `pid` holds as descriptor `number`; the caller, in the session, has checked that
    the process is the monitor. OSError: it has ended."""
    pidfd = os.pidfd_open(pid)
    try:
        return process.pidfd_getfd(pidfd, number)
    finally:
        os.close(pidfd)


def _packet(text: str, descriptors: Sequence[int]) -> int:
    kept, sender = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with kept, sender, many_descriptors():
        # A packet of nothing would be the end of file.
        socket.send_fds(sender, [text.encode() or b"\n"], list(descriptors))
        return os.dup(kept.fileno())
