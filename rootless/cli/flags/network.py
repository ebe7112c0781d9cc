"""--network and what goes with it (--ip, --network-alias ...), where they are not just the default: Docker's grammar and
words, Podman's options for slirp4netns and pasta. Which networks there are is not known here."""

from __future__ import annotations

from rootless.engine.networks import choice, names
from rootless.engine.state.config import EndpointConfig, no_demands
from rootless.errors import InvalidInput, NotSupported
from rootless.record import TYPE_CHECKING

if TYPE_CHECKING:
    from rootless.cli.grammar.command import Args

_UNNAMED = ("", "default", "private")
_LONG = "write name=NETWORK, and as you need alias=, ip=, ip6=, mac-address=, driver-opt=KEY=VALUE, gw-priority="


def choose(args: Args) -> choice.NetworkChoice:
    """The networks of `run` and `create`, in the order given. InvalidInput in Docker's words."""
    asked = []
    for position, word in enumerate(args.network or ["default"]):
        mode, options, endpoint = parse(word)
        if position == 0:
            _apply(endpoint, args)
        asked.append(choice.Asked(mode, options, endpoint))
    return choice.combine(asked, unnamed=all(word in _UNNAMED for word in args.network))


def parse(word: str) -> tuple[str, list[str], EndpointConfig]:
    """Mode, the uplink's options, and what is asked of the network, of one --network."""
    if "=" in word.partition(":")[0]:
        return _long(word)
    if word in ("container", "container:"):
        raise InvalidInput("invalid container format container:<name|id>")
    if word in (*_UNNAMED, "bridge"):
        return "bridge", [], no_demands()
    return *names.mode_of(word), no_demands()


def _long(word: str) -> tuple[str, list[str], EndpointConfig]:
    """`name=app,alias=web,ip=10.0.0.5`: a line of CSV, all in lower case as Docker takes it."""
    name, endpoint = "", no_demands()
    for field in word.lower().split(","):
        key, equals, value = (part.strip() for part in field.partition("="))
        if not equals or not key:
            raise InvalidInput(f"invalid field {field}: must be a key=value pair (in '{word}')", hint=_LONG)
        if key == "name":
            name = value
        elif key == "alias":
            endpoint["aliases"].append(names.check_alias(value))
        elif key in ("ip", "ip6"):
            endpoint[key] = choice.address(value, 6 if key == "ip6" else 4)  # type: ignore[literal-required]
        elif key == "mac-address":
            endpoint["mac"] = choice.mac_address(value)
        elif key == "link-local-ip":
            raise no_link_local("--network link-local-ip=")
        elif key == "driver-opt":
            endpoint["driver_opts"] |= [choice.driver_option(value)]
        elif key == "gw-priority":
            endpoint["gw_priority"] = choice.priority(value)
        else:
            raise InvalidInput(f"invalid field key {key} (in '{word}')", hint=_LONG)
    if not name or "=" in name.partition(":")[0]:
        raise InvalidInput(f"network name/id is not specified (in '{word}')", hint=_LONG)
    mode, options, _ = parse(name)
    return mode, options, endpoint


def _apply(endpoint: EndpointConfig, args: Args) -> None:
    """Put the options of old into the first network's endpoint, as Docker does."""
    given = (
        ("aliases", "--network-alias", "alias", [names.check_alias(word) for word in args.network_alias]),
        ("links", "--link", "links", [choice.link(word) for word in args.link]),
        ("ip", "--ip", "IPv4 address", choice.address(args.ip, 4) if args.ip else ""),
        ("ip6", "--ip6", "IPv6 address", choice.address(args.ip6, 6) if args.ip6 else ""),
        ("mac", "--mac-address", "MAC address", choice.mac_address(args.mac_address) if args.mac_address else ""),
    )
    for key, option, words, value in given:
        if not value:
            continue
        if endpoint[key]:  # type: ignore[literal-required]
            raise InvalidInput(f"conflicting options: cannot specify both {option} and per-network {words}")
        endpoint[key] = value  # type: ignore[literal-required]


def no_link_local(what: str) -> NotSupported:
    """The error for an option that asks for an address which no network has."""
    from rootless.cli.grammar import refused

    error = refused.flag("run", "--link-local-ip")
    assert error is not None
    return NotSupported(error.message.replace("--link-local-ip", what), hint=error.hint)
