"""`rootless network create`."""

from __future__ import annotations

from rootless.cli.grammar.command import FLAG, LIST, VALUE, Args, Command, Option
from rootless.engine.networks import create as networks
from rootless.engine.options.values import parse_pairs
from rootless.errors import InvalidInput, NotSupported
from rootless.storage.store import Store

_SWARM = "that is for networks of a swarm; rootless runs containers on one machine"


def create(args: Args) -> int:
    """Make a network and print its id."""
    for given, option in ((args.ingress, "--ingress"), (args.config_only, "--config-only"), (args.config_from, "--config-from"),
                          (args.scope not in ("", "local"), f"--scope {args.scope}")):  # fmt: skip
        if given:
            raise NotSupported(f"{option} is not supported: {_SWARM}", hint="leave it out")
    if args.ipam_driver not in ("default", ""):
        raise NotSupported(
            f"no IPAM driver '{args.ipam_driver}'", hint="leave --ipam-driver out, or write --ipam-driver default"
        )
    request = networks.NetworkRequest(
        args.positional[0],
        driver=args.driver,
        subnets=_split(args.subnet),
        ip_ranges=_split(args.ip_range),
        gateways=_split(args.gateway),
        auxiliary=[_pair(word) for word in args.aux_address],
        ipv4=args.ipv4 if "ipv4" in args.given else None,
        ipv6=args.ipv6 if "ipv6" in args.given else None,
        internal=args.internal,
        attachable=args.attachable,
        labels=parse_pairs(args.label),
        options=parse_pairs(args.opt),
        ipam_options=parse_pairs(args.ipam_opt),
    )
    print(networks.create(Store.open(), request))
    return 0


def _split(words: list[str]) -> list[str]:
    return [part.strip() for word in words for part in word.split(",")]


def _pair(word: str) -> tuple[str, str]:
    name, equals, address = word.partition("=")
    if not equals:
        raise InvalidInput(f"invalid auxiliary address '{word}'", hint="write --aux-address router=10.0.0.1")
    return name, address


COMMAND = Command(
    name="network create",
    summary="Create a network",
    usage="[OPTIONS] NETWORK",
    options=(
        Option(("--attachable",), "attachable", FLAG, help="Enable manual container attachment"),
        Option(("--aux-address",), "aux_address", LIST, metavar="map", help="Auxiliary IPv4 or IPv6 addresses that no container gets"),
        Option(("--config-from",), "config_from", VALUE, metavar="string", default="", hidden=True),
        Option(("--config-only",), "config_only", FLAG, hidden=True),
        Option(("-d", "--driver"), "driver", VALUE, metavar="string", default="bridge", complete="bridge",
               help='Driver to manage the Network (default "bridge")'),
        Option(("--gateway",), "gateway", LIST, metavar="strings", help="IPv4 or IPv6 Gateway for the subnet"),
        Option(("--ingress",), "ingress", FLAG, hidden=True),
        Option(("--internal",), "internal", FLAG, help="Restrict external access to the network"),
        Option(("--ip-range",), "ip_range", LIST, metavar="strings", help="Allocate container ip from a sub-range"),
        Option(("--ipam-driver",), "ipam_driver", VALUE, metavar="string", default="default",
               help='IP Address Management Driver (default "default")'),
        Option(("--ipam-opt",), "ipam_opt", LIST, metavar="map", help="Set IPAM driver specific options"),
        Option(("--ipv4",), "ipv4", FLAG, default=True, help="Enable or disable IPv4 address assignment (default true)"),
        Option(("--ipv6",), "ipv6", FLAG, help="Enable or disable IPv6 address assignment"),
        Option(("--label",), "label", LIST, metavar="list", help="Set metadata on a network"),
        Option(("-o", "--opt"), "opt", LIST, metavar="map", help="Set driver specific options"),
        Option(("--scope",), "scope", VALUE, metavar="string", default="", hidden=True),
        Option(("--subnet",), "subnet", LIST, metavar="strings", help="Subnet in CIDR format that represents a network segment"),
    ),
    handler=create,
    min_args=1,
    max_args=1,
    description="Containers on it find each other by name. Without --subnet it gets the next one of Docker's pools "
    "that no route of the host leads to.",
    examples=(
        ("rootless network create app", ""),
        ("rootless network create --subnet 10.10.0.0/24 --ip-range 10.10.0.128/25 lab", ""),
        ("rootless network create --internal --ipv6 back", "no way out of it"),
    ),
)  # fmt: skip
