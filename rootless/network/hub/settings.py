"""What netd is told of a container: the `set` request (docs/development/netd.md) as records."""

from __future__ import annotations

from rootless.network.hub import netd
from rootless.record import TYPE_CHECKING, Record

if TYPE_CHECKING:
    from collections.abc import Sequence

# Of text in one packet; netd takes 128 KiB.
_TEXT_MAX = 96 * 1024


class OnNetwork(Record):
    """A container's place on one network. Addresses are "" where there is none."""

    network: str
    address4: str
    address6: str
    names: tuple[str, ...]  # its own name first: that is what its address is resolved to
    links: tuple[tuple[str, str], ...] = ()  # alias, target: of --link, for this container alone


class Port(Record):
    """A published port."""

    socket: int  # bound, and listening if it is TCP's; the caller's
    protocol: str  # "tcp", "udp"
    address: str  # of the container
    port: int
    fallback: str  # the source address that the container sees where the client's cannot be used: the gateway's


class Settings(Record):
    """All that netd knows of a container. Networks stand in the order of the gateway priority."""

    id: str
    pidfd: int = -1  # of the container's first process; -1: as before
    resolver_udp: int = -1  # bound to 127.0.0.11:53 in the container's namespace; -1: as before
    resolver_tcp: int = -1
    resolver_at: tuple[str, ...] = ()  # its gateways' addresses: it asks there instead, since its own server has port 53
    networks: tuple[OnNetwork, ...] = ()
    servers: tuple[str, ...] = ()  # of --dns; without one, those of the host
    ndots: bool = False  # the user has set it: a name without a dot is not asked outside
    internal: bool = False  # no name is asked outside
    ports: tuple[Port, ...] = ()
    undo: tuple[bytes, ...] = ()  # rtnetlink messages for the hub, when the container has ended


def set_container(server: netd.Netd, settings: Settings) -> None:
    """Make netd, started where there is none, know the container like this and not otherwise.

    The descriptors stay the caller's. RootlessError, Unavailable.
    """
    for request, descriptors in requests(settings):
        netd.ask(server, request, descriptors)


def knows(runtime: str, container: str) -> bool:
    """Whether a netd runs that knows the container."""
    try:
        return any(line.startswith(container) for line in netd.ask_running(runtime, "list"))
    except netd.NoNetd:
        return False


def drop_container(runtime: str, container: str) -> None:
    """Have netd forget the container, where one runs and knows it."""
    try:
        if knows(runtime, container):
            netd.ask_running(runtime, f"drop {container}")
    except netd.NoNetd:
        pass


def requests(settings: Settings) -> list[tuple[str, list[int]]]:
    """The packets, each with its descriptors: one `set`, and `more` for what does not fit."""
    lines = [f"set {settings.id}"]
    descriptors: list[int] = []
    if settings.pidfd >= 0:
        lines.append("watch 0")
        descriptors.append(settings.pidfd)
    if settings.resolver_udp >= 0:
        lines.append(f"dns {len(descriptors)} {len(descriptors) + 1}")
        descriptors += [settings.resolver_udp, settings.resolver_tcp]
    lines += [f"gateway {address}" for address in settings.resolver_at]
    lines += [f"server {address}" for address in settings.servers]
    lines += ["ndots"] * settings.ndots + ["internal"] * settings.internal
    for each in settings.networks:
        lines.append(f"network {each.network} {each.address4 or '-'} {each.address6 or '-'}")
        lines += [f"name {each.network} {name}" for name in each.names]
        lines += [f"link {each.network} {alias} {target}" for alias, target in each.links]
    packets = [(lines, descriptors)]
    for line, socket in _more(settings.ports, settings.undo):
        lines, descriptors = packets[-1]
        if len(descriptors) == netd.DESCRIPTORS_MAX or sum(map(len, lines)) + len(lines) + len(line) > _TEXT_MAX:
            lines, descriptors = [f"more {settings.id}"], []
            packets.append((lines, descriptors))
        lines.append(line.replace("FD", str(len(descriptors)), 1) if socket >= 0 else line)
        if socket >= 0:
            descriptors.append(socket)
    return [("\n".join(lines), descriptors) for lines, descriptors in packets]


def _more(ports: Sequence[Port], undo: Sequence[bytes]) -> list[tuple[str, int]]:
    """The lines of which there may be many, each with its descriptor or -1."""
    found = [(f"{each.protocol} FD {each.address} {each.port} {each.fallback or '-'}", each.socket) for each in ports]
    return found + [(f"undo {message.hex()}", -1) for message in undo]
