"""EXPOSE: `[[ip:]host:]port[-port][/protocol]`."""

from __future__ import annotations

from rootless.build.dockerfile.error import DockerfileError
from rootless.build.dockerfile.quantities import integer
from rootless.record import Record

_MOST = 1 << 17
"""Ports one instruction may name: both protocols' all."""


class Ports(Record):
    """`ports` as the configuration has them, 80/tcp; words that say more than EXPOSE should; protocols that shout."""

    ports: tuple[str, ...]
    mapped: tuple[str, ...]
    shouted: tuple[str, ...]


def parse(words: tuple[str, ...]) -> Ports:
    """Raises DockerfileError in BuildKit's words."""
    ports: dict[str, None] = {}
    mapped: list[str] = []
    shouted: list[str] = []
    count = 0
    for word in words:
        host, _, container = word.rpartition(":")
        if host:
            mapped.append(word)
        text, _, protocol = container.partition("/")
        if not text:
            raise DockerfileError(f"no port specified: {word}<empty>")
        if protocol.lower() not in ("", "tcp", "udp", "sctp"):
            raise DockerfileError(f"invalid proto: {protocol}")
        if protocol != protocol.lower():
            shouted.append(protocol)
        first, last = _range(text, "containerPort")
        _check_host(host, first, last, text)
        count += last - first + 1
        if count > _MOST:
            raise DockerfileError(f"more than {_MOST} ports in one EXPOSE")
        ports |= dict.fromkeys(f"{port}/{protocol.lower() or 'tcp'}" for port in range(first, last + 1))
    return Ports(tuple(ports), tuple(mapped), tuple(shouted))


def _range(text: str, what: str) -> tuple[int, int]:
    low, dash, high = text.partition("-")
    first = integer(low, bits=16)
    last = integer(high, bits=16) if dash else first
    if first is None or last is None or last < first:
        raise DockerfileError(f"invalid {what}: {text[:100]}")
    return first, last


def _check_host(host: str, first: int, last: int, container: str) -> None:
    """What stands before the container's port has no effect, but nonsense is told."""
    address, _, port = host.rpartition(":")
    address = address[1:-1] if address.startswith("[") and address.endswith("]") else address
    if address and not _is_address(address):
        raise DockerfileError(f"invalid IP address: {address[:100]}")
    if port:
        low, high = _range(port, "hostPort")
        if high - low != last - first and last != first:
            message = f"invalid ranges specified for container and host Ports: {container} and {port}"
            raise DockerfileError(message)


def _is_address(text: str) -> bool:
    if ":" in text:
        return len(text) <= 45 and not set(text.lower()) - set("0123456789abcdef:.%")
    parts = text.split(".")
    return len(parts) == 4 and all(integer(part, bits=8) is not None for part in parts)
