"""A container's /etc/hosts and /etc/hostname, as Docker writes them.

Text in, text out, but for `host_address`, which asks the kernel's routing table. hosts(5). Hot path.
"""

from __future__ import annotations

from rootless.errors import InvalidInput
from rootless.linux import socket
from rootless.record import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

HOST_PATH = "/etc/hosts"
HOST_NAMES = ("host.docker.internal", "host.containers.internal")

_LOCAL = """\
127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
fe00::\tip6-localnet
ff00::\tip6-mcastprefix
ff02::1\tip6-allnodes
ff02::2\tip6-allrouters
"""


def hosts_file(
    mode: str,
    *,
    hostname: str,
    domainname: str = "",
    name: str = "",
    addresses: Sequence[str] = ("127.0.0.1",),
    extra_hosts: Sequence[str] = (),
    host_text: str = "",
    gateway: str | None = None,
) -> str:
    """The text of /etc/hosts for a container with network `mode`.

    mode "host": `host_text` (the host's file) and the extra hosts. "none": the loopback names
    and the container's own on 127.0.0.1, so that nothing hangs looking its own name up.
    Otherwise the container's names stand on each of `addresses`, and host.docker.internal and
    host.containers.internal on `gateway` (see `host_address`). extra_hosts: --add-host words,
    "name:ip" or "name=ip" with ip an address or "host-gateway". Raises InvalidInput.
    """
    text = host_text if mode == "host" else _LOCAL
    if text and not text.endswith("\n"):
        text += "\n"
    extra = [parse_extra_host(word, gateway=gateway) for word in extra_hosts]
    given = {host for host, _ in extra}
    lines = [f"{target}\t{host}\n" for host, target in extra]
    if mode != "host":
        if gateway:
            lines += [f"{gateway}\t{host}\n" for host in HOST_NAMES if host not in given]
        lines += own_lines(addresses, hostname=hostname, domainname=domainname, name=name)
    return text + "".join(lines)


def own_lines(addresses: Sequence[str], *, hostname: str, domainname: str, name: str) -> list[str]:
    """The lines with the container's own names, one for each of its addresses."""
    own = [f"{hostname}.{domainname}", hostname] if domainname else [hostname]
    if name and name not in own:
        own.append(name)
    return [f"{address}\t{' '.join(own)}\n" for address in addresses]


def parse_extra_host(word: str, *, gateway: str | None = None) -> tuple[str, str]:
    """(name, address) of one --add-host word; "host-gateway" stands for `gateway`."""
    positions = [position for position in (word.find(":"), word.find("=")) if position > 0]
    if not positions:
        raise InvalidInput(f'bad format for add-host: "{word}"', hint="--add-host NAME:IP")
    name, target = word[: min(positions)], word[min(positions) + 1 :]
    if any(character.isspace() or character in "#\0" for character in name):
        raise InvalidInput(f'bad format for add-host: "{word}"', hint="--add-host NAME:IP")
    if target == "host-gateway":
        if not gateway:
            raise InvalidInput(
                "unable to derive the IP value for host-gateway",
                hint="this host has no route out; name an address: --add-host NAME:IP",
            )
        return name, gateway
    if target.startswith("[") and target.endswith("]"):
        target = target[1:-1]
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            return name, socket.inet_ntop(family, socket.inet_pton(family, target))
        except (OSError, ValueError):
            continue
    raise InvalidInput(f'invalid IP address in add-host: "{target}"', hint="--add-host NAME:IP")


def host_address() -> str | None:
    """The host's own address as its peers see it, None on a host without a route.

    Through slirp4netns a container reaches the host's services there, save those that listen
    on loopback only (10.0.2.2 reaches these, with allow_host_loopback=true). Sends no packet:
    connecting a datagram socket only asks for a route. The peer is a TEST-NET address.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return None
        found = str(probe.getsockname()[0])
    return None if found.startswith("0.") else found


def gateway_for(mode: str, *, allow_host_loopback: bool = False, gateway: str | None = None) -> str | None:
    """What host-gateway and host.docker.internal mean for a container with network `mode`."""
    if mode == "host":
        return "127.0.0.1"
    if mode == "none":
        return None
    return gateway if allow_host_loopback and gateway else host_address()


def hostname_file(hostname: str) -> str:
    """The text of /etc/hostname."""
    return hostname + "\n"
