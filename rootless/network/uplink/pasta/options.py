"""The options of `--network pasta:...`: pasta's own, of which Podman takes all and we those that do not undo ours."""

from __future__ import annotations

from rootless.errors import InvalidInput
from rootless.network.uplink.connection import Addresses
from rootless.record import TYPE_CHECKING, Record

if TYPE_CHECKING:
    from collections.abc import Sequence

DEFAULT_MTU = 65520
GATEWAY, DNS, CONTAINER, PREFIX_LENGTH = "10.0.2.2", "10.0.2.3", "10.0.2.100", 24
"""slirp4netns's addresses. pasta would give the container the host's own, which it could not reach then."""
GATEWAY6, CONTAINER6 = "fd00:10:0:2::2", "fd00:10:0:2::100"

_WITH_VALUE = {
    "-m": "mtu", "--mtu": "mtu", "-i": "interface", "--interface": "interface", "-o": "outbound", "--outbound": "outbound",
}  # fmt: skip
_ALONE = {"-4": "ipv4_only", "--ipv4-only": "ipv4_only", "--map-gw": "map_gateway"}
_HINT = "-m,MTU  -i,INTERFACE  -o,ADDRESS  -4  --map-gw (the gateway's address leads to the host's own 127.0.0.1)"


class PastaOptions(Record):
    """What `pasta:` may be followed by; the defaults are the safe ones."""

    mtu: int = DEFAULT_MTU
    interface: str = ""
    outbound: str = ""
    ipv4_only: bool = False
    map_gateway: bool = False

    def addresses(self) -> Addresses:
        """The addresses in the container's network."""
        return Addresses(GATEWAY, DNS, CONTAINER, PREFIX_LENGTH)


def parse(words: Sequence[str]) -> PastaOptions:
    """Options from ["-m", "1500"], as Podman has them: split at commas. InvalidInput."""
    options = PastaOptions()
    left = [part for word in words for part in (word.split("=", 1) if word.startswith("--") else [word])]
    while left:
        word = left.pop(0)
        if word in _ALONE:
            options = options._replace(**{_ALONE[word]: True})  # type: ignore[arg-type]
            continue
        if word not in _WITH_VALUE:
            raise InvalidInput(f"unknown pasta option: {word}", hint=_HINT)
        if not left:
            raise InvalidInput(f"pasta option {word} needs a value", hint=_HINT)
        options = _with(options, _WITH_VALUE[word], left.pop(0))
    return options


def _with(options: PastaOptions, name: str, value: str) -> PastaOptions:
    if name == "mtu":
        if not (value.isascii() and value.isdigit() and 1280 <= int(value[:6]) <= DEFAULT_MTU):
            raise InvalidInput(f"invalid mtu: {value}", hint=f"a number from 1280 to {DEFAULT_MTU}")
        return options._replace(mtu=int(value))
    if not value or value.startswith("-"):
        raise InvalidInput(f"invalid {name} of pasta: {value}", hint=_HINT)
    return options._replace(interface=value) if name == "interface" else options._replace(outbound=value)
