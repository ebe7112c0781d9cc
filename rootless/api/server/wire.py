"""The wires between front, zygote and workers: SOCK_SEQPACKET pairs, one message a packet.

    front -> zygote    the client's socket and the worker's end of a pair (SCM_RIGHTS), with the bytes read so far
    zygote -> worker   the same
    worker -> zygote   FREE: it has only read, and can take another; the end of file: it cannot
    worker -> front    STREAMS: is there room for one more request that mostly waits?
    front -> worker    YES or NO
    worker -> front    one of KEEP (and the bytes read of the next request) and CLOSE; the end of file alone means
                       that the worker has crashed

Nobody but our own processes ever has an end of them.
"""

from __future__ import annotations

import os
import socket

from rootless.api.http.limits import HEAD_LIMIT, READ_SIZE

PACKET_LIMIT = HEAD_LIMIT + READ_SIZE + 1
KEEP, CLOSE = b"K", b"C"
STREAMS, YES, NO = b"S", b"Y", b"N"
FREE = b"F"


def pair() -> tuple[socket.socket, socket.socket]:
    """Both ends, close-on-exec, with room for the longest packet."""
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    for end in (one, other):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2 * PACKET_LIMIT)
    return one, other


def hand_over(wire: socket.socket, client: socket.socket, channel: socket.socket, received: bytes) -> None:
    """Give a request to the zygote, or on to a worker. OSError where there is none any more."""
    socket.send_fds(wire, [received or b"\0"], [client.fileno(), channel.fileno()])


def may_stream(channel: socket.socket) -> bool:
    """Asked by a worker: whether its request may go on as one that mostly waits. Where the front has ended it may."""
    try:
        channel.send(STREAMS)
        return channel.recv(1) != NO
    except (BrokenPipeError, ConnectionResetError):
        return True


def take(wire: socket.socket) -> tuple[socket.socket, socket.socket, bytes] | None:
    """The next request: the client's socket, the channel to the front, the bytes read. None where its sender has ended."""
    try:
        received, descriptors, _, _ = socket.recv_fds(wire, PACKET_LIMIT, 2)
    except ConnectionResetError:  # it has ended with a word of ours unread
        return None
    for fd in descriptors:
        os.set_inheritable(fd, False)
    if not received or len(descriptors) != 2:
        for fd in descriptors:
            os.close(fd)
        return None
    return socket.socket(fileno=descriptors[0]), socket.socket(fileno=descriptors[1]), received
