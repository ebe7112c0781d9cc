"""Sockets of the host for published ports: bound by the supervisor before the container starts, in its caller's view.

So a port that is taken, or root's, is an error of `run` in Docker's words. netd answers on copies of them; the monitor keeps
them (held_ports.py).
"""

from __future__ import annotations

import errno
import fcntl

from rootless.linux import socket
from rootless.network.port_errors import port_error
from rootless.record import TYPE_CHECKING, Record

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rootless.network.port_errors import PortHolder
    from rootless.network.ports import PortMapping

FREE_PORT_TRIES = 32
FEW = 128
_ABOVE = 1024
_NO_IPV6 = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)


class Listener(Record):
    """A bound socket (of TCP: listening), the owner's to close, and the mapping that it is: with one address, and
    the host's port that was chosen."""

    fd: int
    mapping: PortMapping


class _Refused(Exception):
    """bind(2) said no: the mapping and the errno."""


def listen(
    mappings: Sequence[PortMapping], *, name: str, port_holder: PortHolder | None, any_address: str = ""
) -> list[Listener]:
    """Sockets for all mappings; one without an address of the host gets two, 0.0.0.0 and [::], as with Docker.

    any_address: what stands for "every address" (the network's host_binding_ipv4), "": both families.
    Raises Conflict, NotSupported or InvalidInput for the first that cannot be had; then none is left open.
    """
    found: list[Listener] = []
    try:
        for mapping in mappings:
            found += _listen_one(mapping, name, port_holder, any_address)
        if len(found) > FEW:
            _move_up(found)
    except BaseException:
        for listener in found:
            socket.close(listener.fd)
        raise
    return found


def _move_up(listeners: list[Listener]) -> None:
    """Give many sockets high numbers, in place: whoever has them under the usual limit of open files, which is one of
    numbers, has the low ones for other files."""
    for position, listener in enumerate(listeners):
        try:
            moved = fcntl.fcntl(listener.fd, fcntl.F_DUPFD_CLOEXEC, _ABOVE)
        except OSError as error:
            # EINVAL: the hard limit is below.
            problem = errno.EMFILE if error.errno == errno.EINVAL else error.errno or 0
            raise port_error(listener.mapping, problem) from None
        socket.close(listener.fd)
        listeners[position] = listener._replace(fd=moved)


def _listen_one(
    mapping: PortMapping, name: str, port_holder: PortHolder | None, any_address: str
) -> list[Listener]:
    addresses = [mapping.host_ip or any_address] if mapping.host_ip or any_address else ["0.0.0.0", "::"]
    if mapping.last_host_port:
        candidates = list(range(mapping.host_port, mapping.last_host_port + 1))
    else:
        candidates = [mapping.host_port] if mapping.host_port else [0] * FREE_PORT_TRIES
    for port in candidates:
        try:
            return _bind_all(mapping._replace(host_port=port, last_host_port=0), addresses)
        except _Refused as refused:
            wanted, problem = refused.args
            if problem != errno.EADDRINUSE or len(candidates) == 1:
                break
    raise port_error(wanted, problem, name=name, port_holder=port_holder)


def _bind_all(mapping: PortMapping, addresses: list[str]) -> list[Listener]:
    """One socket for each address, on one port; the second family is left out where the host has none of it."""
    found: list[Listener] = []
    try:
        for address in addresses:
            wanted = mapping._replace(host_ip=address)
            try:
                listener = _bind(wanted)
            except OSError as error:
                if found and error.errno in _NO_IPV6:
                    continue
                raise _Refused(wanted, error.errno or 0) from None
            found.append(listener)
            mapping = listener.mapping  # of a free port the number, for the other family
    except BaseException:
        for listener in found:
            socket.close(listener.fd)
        raise
    return found


def _bind(mapping: PortMapping) -> Listener:
    family = socket.AF_INET6 if ":" in mapping.host_ip else socket.AF_INET
    kind = socket.SOCK_DGRAM if mapping.protocol == "udp" else socket.SOCK_STREAM
    with socket.socket(family, kind | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK) as made:
        if mapping.protocol == "tcp":
            # The last container's connections in TIME_WAIT are no reason against the next one.
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.bind((mapping.host_ip, mapping.host_port))
        if mapping.protocol == "tcp":
            made.listen(socket.SOMAXCONN)
        port = int(made.getsockname()[1])
        return Listener(made.detach(), mapping._replace(host_port=port))
