"""Where the console listens: a Unix socket in the runtime directory, or a port of loopback."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
from collections.abc import Iterator

from rootless import paths
from rootless.api.server import listener
from rootless.errors import InvalidInput, NotSupported

BACKLOG = 128


@contextlib.contextmanager
def listening(address: str) -> Iterator[socket.socket]:
    """A listening socket: "" for RUNTIME/console.sock, else HOST:PORT. Removed at the end. InvalidInput for what is no
    address of loopback: everybody else could read along there."""
    if not address:
        where = listener.bind(f"{paths.runtime_dir()}/console.sock")
        try:
            yield where.sock
        finally:
            where.close()
        return
    host, port = _loopback(address)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind((host, port))
        except OSError as error:
            raise NotSupported(f"cannot listen on {address}: {error.strerror}", hint="port 0 takes a free one") from None
        sock.listen(BACKLOG)
        sock.setblocking(False)
        yield sock


def _loopback(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    host = "127.0.0.1" if host == "localhost" else host.strip("[]")
    try:
        found = ipaddress.ip_address(host)
        if not (port.isascii() and port.isdigit() and int(port) < 1 << 16):
            raise ValueError
    except ValueError:
        raise InvalidInput(f"invalid --listen: {address}", hint="write 127.0.0.1:PORT; port 0 takes a free one") from None
    if not found.is_loopback or getattr(found, "ipv4_mapped", None):  # the kernel has those in another table: peers.py
        raise InvalidInput(
            f"--listen {address}: not an address of this machine alone",
            hint="the console is not encrypted: listen on 127.0.0.1, or leave --listen out, and come by ssh -L",
        )
    return host, int(port)
