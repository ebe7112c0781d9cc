"""Sockets as descriptors: what the standard module has of them in C, without what it adds.

`socket` imports enum, selectors and array: 4 ms before a command's first line. The C module _socket, which
is used here, has the system calls; of the rest we need three functions and a context manager.
"""

from __future__ import annotations

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
