"""`rootless network connect` and `network disconnect`."""

from __future__ import annotations

from rootless.cli.flags import network as words
from rootless.cli.grammar.command import FLAG, LIST, VALUE, Args, Command, Option
from rootless.engine.networks import choice, names
from rootless.engine.state.config import no_demands
from rootless.session import session
from rootless.storage.store import Store


def connect(args: Args) -> int:
    """Put a container on one more network."""
    from rootless.engine.networks import connect as networks

    if args.link_local_ip:
        raise words.no_link_local("--link-local-ip")
    asked = no_demands()
    asked["aliases"] = [names.check_alias(word) for word in args.alias]
    asked["links"] = [choice.link(word) for word in args.link]
    asked["ip"] = choice.address(args.ip, 4) if args.ip else ""
    asked["ip6"] = choice.address(args.ip6, 6) if args.ip6 else ""
    asked["driver_opts"] = dict(choice.driver_option(word) for word in args.driver_opt)
    asked["gw_priority"] = choice.priority(args.gw_priority)
    network, container = args.positional
    store = Store.open()
    session.join()
    networks.connect(store, network, container, asked)
    return 0


def disconnect(args: Args) -> int:
    """Take a container off a network."""
    from rootless.engine.networks import connect as networks

    network, container = args.positional
    store = Store.open()
    session.join()
    networks.disconnect(store, network, container, force=args.force)
    return 0


CONNECT = Command(
    name="network connect",
    summary="Connect a container to a network",
    usage="[OPTIONS] NETWORK CONTAINER",
    options=(
        Option(("--alias",), "alias", LIST, metavar="strings", help="Add network-scoped alias for the container"),
        Option(("--driver-opt",), "driver_opt", LIST, metavar="strings", help="driver options for the network"),
        Option(("--gw-priority",), "gw_priority", VALUE, metavar="int", default="0",
               help="Highest gw-priority provides the default gateway. Accepts positive and negative values"),
        Option(("--ip",), "ip", VALUE, metavar="ip", default="", help='IPv4 address (e.g., "172.30.100.104")'),
        Option(("--ip6",), "ip6", VALUE, metavar="ip", default="", help='IPv6 address (e.g., "2001:db8::33")'),
        Option(("--link",), "link", LIST, metavar="list", help="Add link to another container", complete="container"),
        Option(("--link-local-ip",), "link_local_ip", LIST, metavar="strings", hidden=True),
    ),
    handler=connect,
    min_args=2,
    max_args=2,
    description="A container that runs is on it at once, with an interface of its own; one that does not, from its next "
    "start.",
    examples=(("rootless network connect --alias db back postgres", ""),),
    complete="network",
)  # fmt: skip

DISCONNECT = Command(
    name="network disconnect",
    summary="Disconnect a container from a network",
    usage="[OPTIONS] NETWORK CONTAINER",
    options=(Option(("-f", "--force"), "force", FLAG, help="Force the container to disconnect from a network"),),
    handler=disconnect,
    min_args=2,
    max_args=2,
    complete="network",
)
