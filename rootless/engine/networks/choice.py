"""The networks that a new container asks for, each word checked, and which of them go together: in Docker's words.

Whoever asks, by a command line or by the API; which networks there are is not known here.
"""

from __future__ import annotations

from rootless.engine.networks import default, names
from rootless.engine.networks.addresses import canonical, version_of
from rootless.engine.state.config import EndpointConfig, no_demands
from rootless.errors import InvalidInput, NotSupported
from rootless.record import Record

_SINGLE = ("none", "host", *names.UPLINKS)


class Asked(Record):
    """One network: its mode or name, the options of an uplink, and what is asked of it."""

    mode: str
    options: list[str]
    endpoint: EndpointConfig


class NetworkChoice(Record):
    """What the words mean: mode and options as a container's record has them, and its networks on the hub."""

    mode: str
    options: list[str]
    networks: dict[str, EndpointConfig]
    default: bool = False  # no network is named, and nothing is asked of the default one


def combine(asked: list[Asked], *, unnamed: bool) -> NetworkChoice:
    """All of them together, in their order. `unnamed`: nobody has named any. InvalidInput, NotSupported."""
    if unnamed and asked[0].mode == "bridge" and asked[0].endpoint != no_demands():
        mode, options = default.configured() or ("bridge", [])
        asked = [asked[0]._replace(mode=mode, options=options), *asked[1:]]
    found: dict[str, EndpointConfig] = {}
    single: dict[str, list[str]] = {}
    for mode, options, endpoint in asked:
        if mode in single or mode in found:
            if mode in names.PREDEFINED or ":" in mode or mode in _SINGLE:
                continue
            raise InvalidInput(f'network "{mode}" is specified multiple times', hint="write each --network once")
        user_defined = _is_user_defined(mode)
        if not user_defined:
            _check_predefined(mode, endpoint)
        if user_defined or mode == "bridge":
            found[mode] = endpoint
        else:
            single[mode] = options
    not_defined = [*single, *(["bridge"] if "bridge" in found else [])]
    if not_defined and found.keys() - {"bridge"}:
        raise InvalidInput(
            "conflicting options: cannot attach both user-defined and non-user-defined network-modes",
            hint="name networks of your own only: `rootless network create`",
        )
    if len(not_defined) > 1:
        raise InvalidInput(
            f"conflicting options: a container has one network, not {' and '.join(not_defined)}",
            hint="write --network once, or name networks of your own",
        )
    if single:
        ((mode, options),) = single.items()
        return NetworkChoice(mode, options, {})
    return NetworkChoice(next(iter(found)), [], found, default=unnamed and found == {"bridge": no_demands()})


def _is_user_defined(mode: str) -> bool:
    return not (mode in ("bridge", *_SINGLE) or mode.startswith("container:"))


def _check_predefined(mode: str, endpoint: EndpointConfig) -> None:
    hint = "make one: `rootless network create app`, then --network app"
    if endpoint["aliases"]:
        raise InvalidInput("network-scoped aliases are only supported for user-defined networks", hint=hint)
    if endpoint["links"]:
        raise NotSupported("links are only supported for user-defined networks", hint=hint)
    if endpoint["ip"] or endpoint["ip6"]:
        raise InvalidInput("user-specified IP address is supported on user-defined networks only", hint=hint)
    if endpoint["mac"] and mode.startswith("container:"):
        raise InvalidInput("conflicting options: mac-address and the network mode", hint="it is the other container's")
    if endpoint["mac"] and mode != "bridge":
        raise NotSupported(f"--mac-address is not supported on {mode}: there is no address to choose", hint=hint)


def address(word: str, version: int) -> str:
    """The canonical text of an address of this version; InvalidInput."""
    try:
        if version_of(word) == version:
            return canonical(word)
    except ValueError:
        pass
    raise InvalidInput(f"invalid IPv{version} address: {word}", hint="an IPv4 address as 10.0.0.5, an IPv6 one as fd00::5")


def mac_address(word: str) -> str:
    """A hardware address of one interface, in the kernel's spelling; InvalidInput."""
    parts = word.strip().lower().replace("-", ":").split(":")
    digits = frozenset("0123456789abcdef")
    if len(parts) != 6 or not all(len(part) == 2 and digits.issuperset(part) for part in parts):
        raise InvalidInput(f"{word} is not a valid mac address", hint="six numbers, as 02:42:ac:11:00:02")
    if int(parts[0], 16) & 1 or set(parts) == {"00"}:
        hint = "it is no single interface's: the first number is to be even, and not all are zero"
        raise InvalidInput(f"{word} is not a valid mac address", hint=hint)
    return ":".join(parts)


def link(word: str) -> str:
    """`name:alias` of --link; a name alone is its own alias. InvalidInput."""
    parts = word.split(":")
    if not word or len(parts) > 2 or not all(parts):
        raise InvalidInput(f"bad format for links: {word}", hint="--link CONTAINER:ALIAS")
    name = parts[0].removeprefix("/")
    return f"{names.check_alias(name)}:{names.check_alias(parts[-1].removeprefix('/'))}"


def driver_option(word: str) -> tuple[str, str]:
    """One option of an endpoint; InvalidInput, NotSupported."""
    key, equals, value = word.partition("=")
    if not equals or not key:
        raise InvalidInput("invalid key value pair format in driver options", hint="driver-opt=KEY=VALUE")
    if key == "com.docker.network.endpoint.sysctls":
        raise NotSupported(f"{key} is not supported", hint="--sysctl sets those of all interfaces")
    if key == "com.docker.network.endpoint.ifname" and not names.is_interface(value):
        raise InvalidInput(f"invalid interface name: {value}", hint="up to 15 letters and digits, and none that the kernel has")
    return key, value


def priority(word: str) -> int:
    """A gateway's priority: any whole number. InvalidInput."""
    digits = word[1:] if word[:1] in ("-", "+") else word
    if not (digits.isascii() and digits.isdigit() and len(digits) < 10):
        raise InvalidInput(f"invalid gw-priority: {word}", hint="a whole number; the highest has the default route")
    return int(word)
