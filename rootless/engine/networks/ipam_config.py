"""The words of --subnet, --ip-range, --gateway and --aux-address as pools: Docker's rules and its words. Pure."""

from __future__ import annotations

from rootless.engine.networks.addresses import Subnet, parse_subnet, to_number, to_text, version_of
from rootless.engine.networks.ipam import Pool
from rootless.errors import InvalidInput
from rootless.record import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_BLOCK = {4: "IPv4", 6: "IPv6"}
_RESERVED = (
    "0.0.0.0/8", "127.0.0.0/8", "224.0.0.0/3", "::/96", "::ffff:0:0/96", "fe80::/10", "ff00::/8",
    "198.51.100.0/24",  # the uplink's own (network/hub/uplink.py)
)  # fmt: skip
"""What the kernel gives another meaning: this host, its loopback, many, one link."""


def pools(
    subnets: Sequence[str], ip_ranges: Sequence[str], gateways: Sequence[str], auxiliary: Sequence[tuple[str, str]]
) -> list[Pool]:
    """One pool for each subnet, in their order, with what belongs to it. InvalidInput in Docker's words."""
    if len(subnets) < len(ip_ranges) or len(subnets) < len(gateways):
        raise InvalidInput("every ip-range or gateway must have a corresponding subnet", hint="add --subnet")
    blocks = [_subnet(text) for text in subnets]
    for position, block in enumerate(blocks):
        if any(block.overlaps(other) for other in blocks[:position]):
            raise InvalidInput("multiple overlapping subnet configuration is not supported")
    made: list[Pool] = [
        {"subnet": str(block), "ip_range": "", "gateway": "", "auxiliary": {}} for block in blocks
    ]
    for text in ip_ranges:
        _add_range(text, blocks, made)
    for text in gateways:
        pool = made[_home(text, "gateway", blocks)]
        if pool["gateway"]:
            raise InvalidInput(
                f"cannot configure multiple gateways ({text}, {pool['gateway']}) for the same subnet ({pool['subnet']})"
            )
        pool["gateway"] = _own(text, parse_subnet(pool["subnet"]))
    for name, text in auxiliary:
        if not text or not name:
            raise InvalidInput(f"invalid auxiliary address '{name}={text}'", hint="write --aux-address router=10.0.0.1")
        pool = made[_home(text, "aux-address", blocks)]
        pool["auxiliary"][name] = to_text(version_of(text), to_number(text))
    return made


def _own(text: str, block: Subnet) -> str:
    """The gateway's address, canonical."""
    number, version = to_number(text), version_of(text)
    if block.size > 2 and (number == block.base or (version == 4 and number == block.last)):
        raise _invalid(f"gateway {text}: it is the address of the whole subnet {block}", "another one of the subnet")
    return to_text(version, number)


def _subnet(text: str) -> Subnet:
    try:
        block = parse_subnet(text)
    except ValueError:
        raise _invalid(f"subnet {text}: invalid CIDR block notation", "write --subnet 10.10.0.0/24") from None
    if block != block.masked():
        raise _invalid(f"subnet {text}: it should be {block.masked()}", f"write --subnet {block.masked()}")
    reserved = next((other for other in _RESERVED if block.overlaps(parse_subnet(other))), None)
    if reserved:
        raise _invalid(f"subnet {text}: no container can have addresses of {reserved}", "write --subnet 10.10.0.0/24")
    return block


def _add_range(text: str, blocks: list[Subnet], made: list[Pool]) -> None:
    try:
        block = parse_subnet(text)
    except ValueError:
        raise _invalid(f"ip-range {text}: invalid CIDR block notation", "write --ip-range 10.10.0.128/25") from None
    position = next((at for at, subnet in enumerate(blocks) if _same(subnet, block) and subnet.overlaps(block)), -1)
    if position < 0:
        alone = next((subnet for subnet in blocks if subnet.version == block.version), None)
        if alone is None:
            other = next(iter(blocks))
            raise _invalid(f"ip-range {text}: parent subnet {other} is an {_BLOCK[other.version]} block")
        raise _invalid(f"ip-range {text}: parent subnet {alone} doesn't contain ip-range")
    if block.length < blocks[position].length:
        raise _invalid(f"ip-range {text}: CIDR block is bigger than its parent subnet {blocks[position]}")
    if block != block.masked():
        raise _invalid(f"ip-range {text}: it should be {block.masked()}", f"write --ip-range {block.masked()}")
    if made[position]["ip_range"]:
        raise InvalidInput(
            f"cannot configure multiple ranges ({text}, {made[position]['ip_range']}) on the same subnet "
            f"({made[position]['subnet']})"
        )
    made[position]["ip_range"] = str(block)


def _same(one: Subnet, other: Subnet) -> bool:
    return one.version == other.version


def _home(text: str, kind: str, blocks: Iterable[Subnet]) -> int:
    """The position of the subnet that an address belongs to."""
    try:
        number, version = to_number(text), version_of(text)
    except ValueError:
        raise _invalid(f"{kind} {text}: invalid address") from None
    for position, subnet in enumerate(blocks):
        if subnet.version == version and subnet.holds(number):
            return position
    raise InvalidInput(f"no matching subnet for {kind} {text}", hint="it must lie in one of the --subnet blocks")


def _invalid(what: str, hint: str | None = None) -> InvalidInput:
    return InvalidInput(f"invalid network config: invalid {what}", hint=hint)
