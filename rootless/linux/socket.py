"""Sockets as descriptors: what the standard module has of them in C, without what it adds.

`socket` imports enum, selectors and array: 4 ms before a command's first line. The C module _socket, which
is used here, has the system calls; of the rest we need three functions and a context manager. Hot path.
"""

from __future__ import annotations

import os

from rootless.record import TYPE_CHECKING

if TYPE_CHECKING:
    from socket import *  # noqa: F403
    from socket import recv_fds as recv_fds
    from socket import send_fds as send_fds
else:
    try:
        import _socket
        from _socket import *  # noqa: F403
    except ImportError:  # another implementation of Python
        from socket import *  # noqa: F403
    else:
        from rootless.linux.struct import calcsize, pack, unpack

        class socket(_socket.socket):
            """socket.socket without files, families by name and timeouts by default."""

            __slots__ = ("__weakref__",)

            def __enter__(self):
                return self

            def __exit__(self, *_):
                self.close()

            def accept(self):
                """accept(2): a connected socket, close-on-exec, and its address."""
                fd, address = self._accept()
                return socket(self.family, self.type, self.proto, fd), address

        def socketpair(family=_socket.AF_UNIX, kind=_socket.SOCK_STREAM, proto=0):
            """socketpair(2), close-on-exec."""
            one, other = _socket.socketpair(family, kind, proto)
            return socket(family, kind, proto, one.detach()), socket(family, kind, proto, other.detach())

        def send_fds(sock, buffers, fds, flags=0, address=None):
            """sendmsg(2) with descriptors."""
            packed = pack(f"{len(fds)}i", *fds)
            return sock.sendmsg(buffers, [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, packed)], flags, address)

        def recv_fds(sock, bufsize, maxfds, flags=0):
            """recvmsg(2) with up to `maxfds` descriptors: (data, descriptors, flags, address)."""
            size = calcsize("i")
            data, ancillary, flags, address = sock.recvmsg(bufsize, _socket.CMSG_LEN(maxfds * size), flags)
            fds = []
            for level, kind, packed in ancillary:
                if level == _socket.SOL_SOCKET and kind == _socket.SCM_RIGHTS:
                    fds += unpack(f"{len(packed) // size}i", packed[: len(packed) // size * size])
            return data, fds, flags, address


def receive_packet(connection: socket, size: int) -> bytes:
    """recv(2) of a Unix socket of packets: the next one, at most `size` bytes of it, or b"" at the end. OSError.

    Where the other side has closed with packets of ours unread, the kernel says ECONNRESET, once, and before it
    gives what that side had sent: its last words are still to be read.
    """
    try:
        return connection.recv(size)
    except ConnectionResetError:
        return connection.recv(size)


def is_address(path: str) -> bool:
    """Whether the path of a Unix socket fits into an address: sun_path holds 107 bytes, unix(7)."""
    return len(os.fsencode(path)) <= 107


class address_in:
    """The address of the Unix socket `name` in `directory`, however long its path: a context manager for
    connect(2) and bind(2). Its path where that fits, else by a descriptor of the directory. OSError."""

    def __init__(self, directory: str, name: str) -> None:
        self._directory = directory
        self._name = name
        self._fd = -1

    def __enter__(self) -> str:
        path = os.path.join(self._directory, self._name)
        if is_address(path):
            return path
        self._fd = os.open(self._directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        return f"/proc/self/fd/{self._fd}/{self._name}"

    def __exit__(self, *_: object) -> None:
        if self._fd >= 0:
            os.close(self._fd)
