"""Addresses and subnets as numbers, IPv4 and IPv6 alike. Pure.

Not the standard library's ipaddress: a start on a network needs little of it, and it is slow to import.
"""

from __future__ import annotations

from rootless.linux import socket
from rootless.record import TYPE_CHECKING, Record

if TYPE_CHECKING:
    from collections.abc import Iterable

BITS = {4: 32, 6: 128}
_FAMILY = {4: socket.AF_INET, 6: socket.AF_INET6}


class Subnet(Record):
    """A block of addresses: its version (4 or 6), its lowest address as a number, its prefix length."""

    version: int
    base: int
    length: int

    def __str__(self) -> str:
        return f"{to_text(self.version, self.base)}/{self.length}"

    @property
    def size(self) -> int:
        """How many addresses it has."""
        return 1 << (BITS[self.version] - self.length)

    @property
    def last(self) -> int:
        """Its highest address."""
        return self.base + self.size - 1

    def masked(self) -> Subnet:
        """The block without bits of a host in its base."""
        return self._replace(base=self.base & -self.size)

    def holds(self, address: int) -> bool:
        """Whether the address, of the same version, is in it."""
        return self.base <= address <= self.last

    def overlaps(self, other: Subnet) -> bool:
        """Whether both have an address in common."""
        return self.version == other.version and self.base <= other.last and other.base <= self.last


def version_of(text: str) -> int:
    """4 or 6, by the look of the text."""
    return 6 if ":" in text else 4


def to_number(text: str) -> int:
    """The address as a number; ValueError for what is none."""
    try:
        return int.from_bytes(socket.inet_pton(_FAMILY[version_of(text)], text), "big")
    except OSError:
        raise ValueError(f"{text} is no address") from None


def to_text(version: int, number: int) -> str:
    """The address as the kernel writes it."""
    return socket.inet_ntop(_FAMILY[version], number.to_bytes(BITS[version] // 8, "big"))


def canonical(text: str) -> str:
    """An address as the kernel writes it; ValueError for what is none."""
    return to_text(version_of(text), to_number(text))


def parse_subnet(text: str) -> Subnet:
    """`10.0.0.0/24`, bits of a host kept; ValueError."""
    address, slash, length = text.partition("/")
    version = version_of(address)
    number = to_number(address)
    if not (slash and length.isascii() and length.isdigit() and len(length) < 4 and int(length) <= BITS[version]):
        raise ValueError(f"{text} is no block of addresses")
    return Subnet(version, number, int(length))


def any_overlaps(subnet: Subnet, others: Iterable[Subnet]) -> bool:
    """Whether the block has an address in common with any of `others`."""
    return any(subnet.overlaps(other) for other in others)
