"""The options of `--network slirp4netns:...`, in podman's words, and the addresses they imply."""

from __future__ import annotations

from rootless.errors import InvalidInput, NotSupported
from rootless.linux import socket, struct
from rootless.network.uplink.connection import Addresses
from rootless.record import Record

DEFAULT_CIDR = "10.0.2.0/24"
DEFAULT_MTU = 65520
MAX_MTU = 65521


class SlirpOptions(Record):
    """What `slirp4netns:` may be followed by; the defaults are the safe ones."""

    mtu: int = DEFAULT_MTU
    cidr: str = DEFAULT_CIDR
    allow_host_loopback: bool = False
    enable_ipv6: bool = False
    outbound_addr: str = ""
    outbound_addr6: str = ""

    def addresses(self) -> Addresses:
        """The addresses in the container's network: fixed offsets in the CIDR, slirp4netns(1)."""
        network, length = _cidr(self.cidr)
        return Addresses(_dotted(network + 2), _dotted(network + 3), _dotted(network + 100), length)


def parse(network: str) -> SlirpOptions:
    """Options from "slirp4netns", "slirp4netns:mtu=1500,cidr=10.1.0.0/24,..." (InvalidInput)."""
    _, _, text = network.partition(":")
    options = SlirpOptions()
    for word in text.split(",") if text else ():
        name, separator, value = word.partition("=")
        if not separator:
            raise InvalidInput(f"invalid slirp4netns option: {word}", hint="options are name=value")
        options = _with(options, name, value)
    return options


def _with(options: SlirpOptions, name: str, value: str) -> SlirpOptions:
    if name == "mtu":
        if not (value.isascii() and value.isdigit() and 68 <= int(value[:6]) <= MAX_MTU):
            raise InvalidInput(f"invalid mtu: {value}", hint=f"a number from 68 to {MAX_MTU}")
        return options._replace(mtu=int(value))
    if name == "cidr":
        _cidr(value)
        return options._replace(cidr=value)
    if name == "allow_host_loopback":
        return options._replace(allow_host_loopback=_boolean(name, value))
    if name == "enable_ipv6":
        return options._replace(enable_ipv6=_boolean(name, value))
    if name == "outbound_addr":
        return options._replace(outbound_addr=value)
    if name == "outbound_addr6":
        return options._replace(outbound_addr6=value)
    if name == "port_handler":
        if value == "slirp4netns":
            return options
        raise NotSupported(
            f"unsupported port_handler: {value}", hint="rootless publishes ports with port_handler=slirp4netns"
        )
    raise InvalidInput(
        f"unknown slirp4netns option: {name}",
        hint="mtu, cidr, allow_host_loopback, enable_ipv6, outbound_addr, outbound_addr6, port_handler",
    )


def _boolean(name: str, value: str) -> bool:
    if value not in ("true", "false"):
        raise InvalidInput(f"invalid {name}: {value}", hint="true or false")
    return value == "true"


def _cidr(text: str) -> tuple[int, int]:
    """The network's number and prefix length; slirp4netns needs .100 and so a /25 or wider."""
    base, _, length_text = text.partition("/")
    try:
        number = int(struct.unpack("!I", socket.inet_pton(socket.AF_INET, base))[0])
    except (OSError, ValueError):
        number = -1
    length = int(length_text) if length_text.isascii() and length_text.isdigit() else 0
    if number < 0 or not 1 <= length <= 25 or number & ((1 << (32 - length)) - 1):
        raise InvalidInput(
            f"invalid cidr: {text}", hint="an IPv4 network of /1 to /25 without host bits, as 10.0.2.0/24"
        )
    return number, length


def _dotted(number: int) -> str:
    return socket.inet_ntop(socket.AF_INET, struct.pack("!I", number))
