"""Published and exposed ports: Docker's grammar in, records out, Docker's words for `ps` and `port`.

Knows no process and no container; whether a port is free is start.py's business.
Standard library only, and little of it. Hot path.
"""

from __future__ import annotations

from rootless.errors import InvalidInput, NotSupported
from rootless.linux import socket
from rootless.record import TYPE_CHECKING, Record

if TYPE_CHECKING:
    from collections.abc import Iterable

PROTOCOLS = ("tcp", "udp")


class PortMapping(Record):
    """One port of the container, and where it is reached on the host.

    `host_ip` "" means every address of the host (rendered 0.0.0.0), `host_port` 0 a free port
    that is chosen when the container starts. `last_host_port` is only set where the user gave
    a range for a single container port ("8080-8090:80"): any free one of it is good.
    """

    host_ip: str
    host_port: int
    container_port: int
    protocol: str
    last_host_port: int = 0


def parse(words: Iterable[str]) -> list[PortMapping]:
    """The mappings that `-p` words ask for, in their order, each once.

    Grammar: [ip:][hostPort[-hostPort]:]containerPort[-containerPort][/proto], IPv6 addresses in
    brackets, or Docker's long form "published=8080,target=80,protocol=tcp". Raises InvalidInput
    with Docker's wording, NotSupported for sctp.
    """
    found: dict[PortMapping, None] = {}
    for word in words:
        for mapping in _parse_word(word):
            found[mapping] = None
    return list(found)


def parse_exposed(words: Iterable[str]) -> list[tuple[int, str]]:
    """The (port, protocol) pairs of `--expose` words, sorted.

    Grammar: port[-port][/proto].
    """
    found: set[tuple[int, str]] = set()
    for word in words:
        text, protocol = _split_protocol(word, word)
        if ":" in text:
            raise InvalidInput(f"invalid port format for --expose: {word}")
        first, last = _range(text, "containerPort", word)
        found.update((port, protocol) for port in range(first, last + 1))
    return sorted(found)


def read_exposed(words: Iterable[str]) -> list[tuple[int, str]]:
    """The (port, protocol) pairs of a record's `80/tcp` and `8000-8010/tcp`, sorted. Nothing a record says is an
    error: one container may not break the list of all."""
    found: set[tuple[int, str]] = set()
    for word in words:
        numbers, _, protocol = word.partition("/")
        first, dash, last = numbers.partition("-")
        ends = [int(text) for text in (first, last if dash else first) if text.isdecimal() and len(text) <= 5]
        if len(ends) == 2:
            found.update((port, protocol or "tcp") for port in range(ends[0], min(ends[1], 65535) + 1))
    return sorted(found)


def publish_all(exposed: Iterable[tuple[int, str]], published: Iterable[PortMapping]) -> list[PortMapping]:
    """What `-P` adds: every exposed port that is not published yet, on a free host port; NotSupported for sctp."""
    taken = {(mapping.container_port, mapping.protocol) for mapping in published}
    exposed = list(exposed)
    for port, protocol in exposed:
        if protocol not in PROTOCOLS:
            raise _no_sctp(f"{port}/{protocol}")
    return [PortMapping("", 0, port, protocol) for port, protocol in exposed if (port, protocol) not in taken]


def _parse_word(word: str) -> list[PortMapping]:
    if "=" in word:
        word = _from_long_form(word)
    text, protocol = _split_protocol(word, word)
    host_ip, host, container = _split_address(text, word)
    if not container:
        raise InvalidInput(f"no port specified: {word}<empty>", hint="name the container's port: -p 8080:80")
    first, last = _range(container, "containerPort", word)
    if not host:
        return [PortMapping(host_ip, 0, port, protocol) for port in range(first, last + 1)]
    host_first, host_last = _range(host, "hostPort", word)
    if host_last - host_first != last - first:
        if first != last:
            raise InvalidInput(
                f"invalid ranges specified for container and host Ports: {container} and {host}",
                hint="both ranges must have the same length",
            )
        return [PortMapping(host_ip, host_first, first, protocol, host_last)]
    return [
        PortMapping(host_ip, host_first + offset if host_first else 0, first + offset, protocol)
        for offset in range(last - first + 1)
    ]


def _from_long_form(word: str) -> str:
    fields = {"protocol": "tcp", "published": "", "target": "", "host_ip": ""}
    for part in word.split(","):
        name, separator, value = part.partition("=")
        if not separator or name not in {*fields, "mode"}:
            raise InvalidInput(f"invalid publish opts format (should be name=value but got '{part}')")
        fields[name] = value
    address = fields["host_ip"]
    if ":" in address and not address.startswith("["):
        address = f"[{address}]"
    prefix = f"{address}:" if address else ""
    return f"{prefix}{fields['published']}:{fields['target']}/{fields['protocol']}"


def _split_protocol(text: str, word: str) -> tuple[str, str]:
    port, slash, protocol = text.partition("/")
    protocol = protocol.lower() if slash else "tcp"
    if not port:
        raise InvalidInput(f"no port specified: {word}<empty>", hint="name the container's port: -p 8080:80")
    if protocol == "sctp":
        raise _no_sctp(word)
    if protocol not in PROTOCOLS:
        raise InvalidInput(f"invalid proto: {protocol}", hint="tcp or udp")
    return port, protocol


def _no_sctp(word: str) -> NotSupported:
    return NotSupported(
        f"sctp ports cannot be published without root: {word}",
        hint="slirp4netns forwards tcp and udp; use --network host for sctp",
    )


def _split_address(text: str, word: str) -> tuple[str, str, str]:
    """host ip, host port(s), container port(s)"""
    rest, colon, container = text.rpartition(":")
    if not colon:
        return "", "", container
    if rest.startswith("["):
        address, bracket, host = rest[1:].partition("]")
        if not bracket or (host and not host.startswith(":")):
            raise InvalidInput(f"invalid IP address: {rest}")
        host = host[1:]
    else:
        address, _, host = rest.rpartition(":")
        if ":" in address:
            raise InvalidInput(
                f"invalid IP address: {address}", hint="write IPv6 addresses in brackets: [::1]:8080:80"
            )
    return (canonical_address(address, word) if address else ""), host, container


def canonical_address(address: str, word: str) -> str:
    """`address` as the kernel writes it; InvalidInput where it is none (names are not looked up)."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        return socket.inet_ntop(family, socket.inet_pton(family, address))
    except (OSError, ValueError):
        raise InvalidInput(f"invalid IP address: {address}", hint=f"in -p {word}") from None


def _range(text: str, name: str, word: str) -> tuple[int, int]:
    first_text, dash, last_text = text.partition("-")
    first = _port(first_text, name, text)
    last = _port(last_text, name, text) if dash else first
    if last < first:
        raise InvalidInput(f"invalid {name}: {text}", hint=f"in -p {word}: the range ends before it begins")
    if first == 0 and (name == "containerPort" or dash):
        raise InvalidInput(f"invalid {name}: {text}", hint="ports go from 1 to 65535")
    return first, last


def _port(text: str, name: str, whole: str) -> int:
    if not (text.isascii() and text.isdigit()) or int(text[:6]) > 65535 or len(text) > 5:
        raise InvalidInput(f"invalid {name}: {whole}", hint="ports go from 1 to 65535")
    return int(text)


def shown_address(mapping: PortMapping) -> str:
    """The host address as Docker writes it beside a port: 0.0.0.0, or [::1] in brackets."""
    address = mapping.host_ip or "0.0.0.0"
    return f"[{address}]" if ":" in address else address


def describe(published: Iterable[PortMapping], exposed: Iterable[tuple[int, str]] = ()) -> str:
    """The PORTS column of `docker ps`: "0.0.0.0:8080->80/tcp, 443/tcp".

    As Docker's, runs of ports are merged only where host and container port are equal.
    """
    mappings = list(published)
    reached = {(mapping.container_port, mapping.protocol) for mapping in mappings}
    rows = [(m.container_port, shown_address(m), m.host_port, m.protocol) for m in mappings]
    rows += [(port, "", 0, protocol) for port, protocol in exposed if (port, protocol) not in reached]
    finished: list[str] = []
    renumbered: list[str] = []
    open_runs: dict[tuple[str, str], tuple[int, int]] = {}
    for port, address, host_port, protocol in sorted(rows):
        if address and host_port != port:
            renumbered.append(f"{address}:{host_port}->{port}/{protocol}")
            continue
        key = (address, protocol)
        run = open_runs.get(key)
        if run is not None and port == run[1] + 1:
            open_runs[key] = (run[0], port)
        else:
            if run is not None:
                finished.append(_run(key, run))
            open_runs[key] = (port, port)
    finished += [_run(key, run) for key, run in open_runs.items()]
    return ", ".join(finished + renumbered)


def _run(key: tuple[str, str], run: tuple[int, int]) -> str:
    address, protocol = key
    text = str(run[0]) if run[0] == run[1] else f"{run[0]}-{run[1]}"
    return f"{address}:{text}->{text}/{protocol}" if address else f"{text}/{protocol}"


def port_lines(published: Iterable[PortMapping], wanted: str | None = None) -> list[str]:
    """What `docker port CONTAINER [PORT[/PROTO]]` prints; empty where `wanted` is not published."""
    rows = sorted(published, key=lambda m: (m.container_port, m.protocol, m.host_ip, m.host_port))
    if wanted is None:
        return [f"{m.container_port}/{m.protocol} -> {shown_address(m)}:{m.host_port}" for m in rows]
    text, protocol = _split_protocol(wanted, wanted)
    port = _port(text, "port", wanted)
    return [
        f"{shown_address(m)}:{m.host_port}"
        for m in rows
        if m.container_port == port and m.protocol == protocol
    ]


def to_data(published: Iterable[PortMapping]) -> list[list[str | int]]:
    """The mappings as JSON can hold them; see `from_data`."""
    return [list(mapping) for mapping in published]


def from_data(data: Iterable[Iterable[str | int]]) -> list[PortMapping]:
    """What `to_data` made, also after a round through JSON."""
    found = []
    for host_ip, host_port, container_port, protocol, *rest in data:
        last = int(rest[0]) if rest else 0
        found.append(PortMapping(str(host_ip), int(host_port), int(container_port), str(protocol), last))
    return found


def overlaps(one: PortMapping, other: PortMapping) -> bool:
    """Whether both want the same port of the same address of the host."""
    return (
        one.host_port == other.host_port
        and one.protocol == other.protocol
        and (one.host_ip == other.host_ip or _is_any(one.host_ip) or _is_any(other.host_ip))
    )


def _is_any(address: str) -> bool:
    return address in ("", "0.0.0.0", "::")
