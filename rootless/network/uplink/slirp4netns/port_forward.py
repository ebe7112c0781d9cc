"""Published ports: asks slirp4netns to forward them, through its API socket.

slirp4netns only says "failed"; why is found by trying to bind the port ourselves, which is also
how a free port is chosen. slirp4netns(1), API SOCKET.
"""

from __future__ import annotations

import errno
import json
import os
import socket

from rootless.errors import NotSupported, RootlessError, Unavailable
from rootless.linux.socket import address_in
from rootless.network.port_errors import port_error, prefix_for
from rootless.network.ports import shown_address
from rootless.record import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rootless.network.port_errors import PortHolder
    from rootless.network.ports import PortMapping
    from rootless.network.uplink.slirp4netns.options import SlirpOptions

API_TIMEOUT_S = 10.0
FREE_PORT_TRIES = 32
MOST_PORTS = 1000
"""slirp4netns has a descriptor for each, of the 1024 that a process usually may have."""


def refuse_unanswerable(ports: Sequence[PortMapping], options: SlirpOptions) -> list[str]:
    """Warnings about UDP ports that the host cannot use through its loopback addresses.

    Without allow_host_loopback slirp drops the answers to 127.0.0.1, as it cannot tell them from
    packets of the container's own. TCP is not affected. Raises NotSupported for a port that is
    published on a loopback address only, which nobody could ever use, and for more than MOST_PORTS.
    """
    if len(ports) > MOST_PORTS:
        raise NotSupported(
            f"{len(ports)} ports cannot be published: slirp4netns forwards at most {MOST_PORTS} for a container",
            hint="publish fewer: -P publishes all that the image exposes, -p those that are named",
        )
    if options.allow_host_loopback:
        return []
    hint = "use --network slirp4netns:allow_host_loopback=true"
    for mapping in ports:
        if mapping.protocol == "udp" and mapping.host_ip.startswith("127."):
            raise NotSupported(
                f"udp port {mapping.container_port} cannot be published on {mapping.host_ip}: "
                "slirp4netns keeps answers from the host's loopback",
                hint=f"{hint}, or publish on another address of the host",
            )
    unheard = [str(m.container_port) for m in ports if m.protocol == "udp" and m.host_ip in ("", "0.0.0.0")]
    if not unheard:
        return []
    return [
        f"udp port {', '.join(unheard)} answers on the host's addresses but not on 127.0.0.1; for that {hint}"
    ]


def publish(
    api_socket: str,
    ports: Sequence[PortMapping],
    *,
    guest_address: str,
    name: str = "",
    port_holder: PortHolder | None = None,
) -> list[PortMapping]:
    """Forward each mapping; returns them with the host ports that were chosen.

    Raises Conflict, NotSupported or InvalidInput for the first that cannot be had; the ones
    before it end with slirp4netns.
    """
    if not ports:
        return []
    with address_in(*os.path.split(api_socket)) as address:
        return [_publish_one(address, mapping, guest_address, name, port_holder) for mapping in ports]


def _publish_one(
    api_socket: str, mapping: PortMapping, guest_address: str, name: str, port_holder: PortHolder | None
) -> PortMapping:
    attempts = FREE_PORT_TRIES if not mapping.host_port else 1
    last = max(mapping.last_host_port, mapping.host_port)
    if mapping.last_host_port:
        attempts = last - mapping.host_port + 1
    for attempt in range(attempts):
        host_port = mapping.host_port + attempt if mapping.host_port else free_port(mapping, name)
        wanted = mapping._replace(host_port=host_port, last_host_port=0)
        refusal = _add(api_socket, wanted, guest_address)
        if refusal is None:
            return wanted
        problem = bind_problem(wanted)
        if problem == errno.EADDRINUSE and attempt + 1 < attempts:
            continue
        raise _error(wanted, problem, refusal, name, port_holder)
    raise AssertionError("an attempt either succeeds or raises")


def _add(api_socket: str, mapping: PortMapping, guest_address: str) -> str | None:
    """One add_hostfwd; None when it is done, else what slirp4netns answered."""
    arguments: dict[str, str | int] = {
        "proto": mapping.protocol,
        "host_addr": mapping.host_ip or "0.0.0.0",
        "host_port": mapping.host_port,
        "guest_port": mapping.container_port,
    }
    if ":" not in mapping.host_ip:
        arguments["guest_addr"] = guest_address
    answer = _ask(api_socket, {"execute": "add_hostfwd", "arguments": arguments})
    if "return" in answer:
        return None
    error = answer.get("error")
    return str(error.get("desc", error)) if isinstance(error, dict) else str(answer)


def _ask(api_socket: str, request: dict[str, object]) -> dict[str, object]:
    """One request and its answer; the protocol is one of each per connection."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as connection:
        connection.settimeout(API_TIMEOUT_S)
        try:
            connection.connect(api_socket)
            connection.sendall(json.dumps(request).encode())
            connection.shutdown(socket.SHUT_WR)
            text = b""
            while chunk := connection.recv(4096):
                text += chunk
            answer = json.loads(text)
        except (OSError, ValueError) as error:
            raise Unavailable(f"slirp4netns does not answer on its API socket: {error}") from error
    return answer if isinstance(answer, dict) else {}


def free_port(mapping: PortMapping, name: str) -> int:
    """A host port nobody has just now: the kernel's choice for a socket bound to port 0."""
    with _socket(mapping) as probe:
        try:
            probe.bind((mapping.host_ip or "0.0.0.0", 0))
        except OSError as error:
            raise _error(mapping, error.errno or 0, "", name, None) from error
        return int(probe.getsockname()[1])


def _socket(mapping: PortMapping) -> socket.socket:
    family = socket.AF_INET6 if ":" in mapping.host_ip else socket.AF_INET
    kind = socket.SOCK_DGRAM if mapping.protocol == "udp" else socket.SOCK_STREAM
    return socket.socket(family, kind | socket.SOCK_CLOEXEC)


def bind_problem(mapping: PortMapping) -> int:
    """The errno with which this port cannot be had, 0 where it could."""
    with _socket(mapping) as probe:
        try:
            if mapping.protocol == "tcp":
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((mapping.host_ip or "0.0.0.0", mapping.host_port))
            if mapping.protocol == "tcp":
                probe.listen(1)
        except OSError as error:
            return error.errno or 0
    return 0


def _error(
    mapping: PortMapping, problem: int, refusal: str, name: str, port_holder: PortHolder | None
) -> RootlessError:
    unknown = problem not in (errno.EADDRINUSE, errno.EACCES, errno.EADDRNOTAVAIL)
    if unknown and ":" in mapping.host_ip and ("host_addr" in refusal or problem == errno.EAFNOSUPPORT):
        return NotSupported(
            f"{prefix_for(name)}: this slirp4netns does not publish on IPv6 addresses "
            f"({shown_address(mapping)}:{mapping.host_port})",
            hint="publish on an IPv4 address; newer versions can with --network slirp4netns:enable_ipv6=true",
        )
    return port_error(mapping, problem, name=name, port_holder=port_holder, refusal=refusal)
