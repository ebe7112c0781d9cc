"""Which subnet a network gets, and which address a container: Docker's pools and order. Pure.

Who has an address is leases.py's to say, which other subnets there are the caller's.
"""

from __future__ import annotations

from rootless.engine.networks.addresses import BITS, Subnet, any_overlaps, parse_subnet, to_number, to_text
from rootless.errors import InvalidInput
from rootless.record import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator


class Pool(TypedDict):
    """A network's addresses of one version, as its record has them: canonical texts, "" where there is none."""

    subnet: str
    ip_range: str
    gateway: str
    auxiliary: dict[str, str]


DEFAULT_POOLS = (
    ("172.17.0.0/16", 16), ("172.18.0.0/16", 16), ("172.19.0.0/16", 16), ("172.20.0.0/14", 16), ("172.24.0.0/14", 16),
    ("172.28.0.0/14", 16), ("192.168.0.0/16", 20),
)  # fmt: skip
"""Docker's: a block, and the length of the subnets that it is cut into."""
ULA = Subnet(6, 0xFD << 120, 8)
"""Unique local addresses (RFC 4193); the 40 bits after it are to be random."""


def next_subnet(taken: Iterable[Subnet]) -> Subnet:
    """The first subnet of the default pools that overlaps none of `taken`; InvalidInput, Docker's words."""
    taken = list(taken)
    for text, length in DEFAULT_POOLS:
        block = parse_subnet(text)
        size = 1 << (32 - length)
        for base in range(block.base, block.last, size):
            subnet = Subnet(4, base, length)
            if not any_overlaps(subnet, taken):
                return subnet
    raise InvalidInput(
        "all predefined address pools have been fully subnetted",
        hint="name one: --subnet 10.10.0.0/24; `rootless network prune` frees those of unused networks",
    )


def random_subnet6(taken: Iterable[Subnet], random: Callable[[int], bytes]) -> Subnet:
    """A /64 of unique local addresses that overlaps none of `taken`; `random` is os.urandom."""
    taken = list(taken)
    while True:
        subnet = Subnet(6, ULA.base | int.from_bytes(random(7), "big") << 64, 64)
        if not any_overlaps(subnet, taken):
            return subnet


def first_address(subnet: Subnet) -> int:
    """The address that a gateway gets where the user names none: the first that a host may have."""
    return subnet.base + (1 if subnet.size > 2 else 0)


def usable(pool: Pool) -> Iterator[str]:
    """The addresses for containers in their order: the range's, less the network's own, broadcast, gateway and
    auxiliary ones."""
    subnet = parse_subnet(pool["subnet"])
    chosen = parse_subnet(pool["ip_range"]) if pool["ip_range"] else subnet
    kept = {to_number(text) for text in (pool["gateway"], *pool["auxiliary"].values()) if text}
    if subnet.size > 2:
        kept.add(subnet.base)
        if subnet.version == 4:
            kept.add(subnet.last)
    number = chosen.base
    while number <= chosen.last:
        if number not in kept:
            yield to_text(chosen.version, number)
        number += 1


def check_static(pools: Iterable[Pool], text: str) -> str:
    """The canonical text of an address that a user asked for; InvalidInput where no container can have it."""
    number = to_number(text)
    version = 6 if ":" in text else 4
    for pool in pools:
        subnet = parse_subnet(pool["subnet"])
        if subnet.version != version or not subnet.holds(number):
            continue
        wrong = subnet.size > 2 and (number == subnet.base or (version == 4 and number == subnet.last))
        if wrong or (pool["gateway"] and number == to_number(pool["gateway"])):
            raise InvalidInput("Address already in use", hint=f"{text} is the network's own: choose another address")
        return to_text(version, number)
    raise InvalidInput(
        f"no configured subnet contains IP address {text}",
        hint="`rootless network inspect` shows the network's subnets",
    )


def host_routes(ipv4: str, ipv6: str) -> list[Subnet]:
    """The blocks that the host's routes lead to, default routes left out: from the texts of /proc/net/route and
    /proc/net/ipv6_route."""
    found = []
    for line in ipv4.splitlines()[1:]:
        words = line.split()
        if len(words) < 8:
            continue
        base, mask = (int.from_bytes(bytes.fromhex(words[column]), "little") for column in (1, 7))
        length = mask.bit_count()
        if length:
            found.append(Subnet(4, base, length))
    for line in ipv6.splitlines():
        words = line.split()
        # Link-local and multicast routes are every interface's; a loopback's own address is nobody's network.
        if len(words) < 10 or words[9] == "lo" or words[0].startswith(("fe8", "ff")):
            continue
        length = int(words[1], 16)
        if 0 < length < BITS[6]:
            found.append(Subnet(6, int(words[0], 16), length))
    return found
