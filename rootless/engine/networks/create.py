"""`network create`: the words of a user as a network in the store. Nothing of it is in the kernel before a container is on it."""

from __future__ import annotations

import os

from rootless.engine.networks import ipam, ipam_config, names, options, records
from rootless.engine.networks.addresses import Subnet, parse_subnet, to_text
from rootless.engine.options import clock
from rootless.engine.state.events import events
from rootless.errors import Conflict, InvalidInput, NotSupported
from rootless.record import TYPE_CHECKING, Record

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rootless.engine.networks.ipam import Pool
    from rootless.engine.networks.records import NetworkConfig
    from rootless.storage.store import Store


LEAST_MTU6 = 1280
"""Of every link that has IPv6 (RFC 8200)."""


class NetworkRequest(Record):
    """What a user asked for, parsed into words."""

    name: str
    driver: str = "bridge"
    subnets: Sequence[str] = ()
    ip_ranges: Sequence[str] = ()
    gateways: Sequence[str] = ()
    auxiliary: Sequence[tuple[str, str]] = ()
    ipv4: bool | None = None
    ipv6: bool | None = None
    internal: bool = False
    attachable: bool = False
    labels: dict[str, str] = {}
    options: dict[str, str] = {}
    ipam_options: dict[str, str] = {}


def create(store: Store, request: NetworkRequest) -> str:
    """Make the network and return its id. InvalidInput, NotSupported, Conflict; then nothing is made."""
    names.check_network(request.name)
    options.check_driver(request.driver)
    wanted = options.normalised(request.options)
    ipv4 = options.boolean(wanted, "com.docker.network.enable_ipv4") if request.ipv4 is None else request.ipv4
    ipv6 = options.boolean(wanted, "com.docker.network.enable_ipv6") if request.ipv6 is None else request.ipv6
    ipv4, ipv6 = ipv4 is not False, ipv6 is True
    if not (ipv4 or ipv6):
        raise InvalidInput("IPv4 or IPv6 must be enabled", hint="leave --ipv4=false out, or add --ipv6")
    pools = ipam_config.pools(request.subnets, request.ip_ranges, request.gateways, request.auxiliary)
    for version, enabled, option in ((4, ipv4, "--ipv4"), (6, ipv6, "--ipv6")):
        of_version = [pool["subnet"] for pool in pools if _version(pool) == version]
        if len(of_version) > 1:
            raise NotSupported("bridge driver doesn't support multiple subnets", hint="one of IPv4 and one of IPv6")
        if of_version and not enabled:
            raise InvalidInput(f"subnet {of_version[0]} needs {option}", hint=f"add {option}")
    if ipv6 and 0 < int(wanted.get(options.MTU, 0)) < LEAST_MTU6:
        raise InvalidInput(f"invalid mtu: {wanted[options.MTU]}", hint=f"IPv6 needs {LEAST_MTU6} at least")
    with records.lock(store):
        return _create(store, request, wanted, pools, ipv4=ipv4, ipv6=ipv6)["id"]


def ensure_bridge(store: Store, avoided: Sequence[Subnet] = ()) -> NetworkConfig:
    """The default network with its addresses, which it gets when it is first needed, or anew where it has one of `avoided`.

    InvalidInput: there are none left."""
    found = records.read(store, "bridge")
    if _is_there(found, avoided):
        return found
    with records.lock(store):
        found = records.read(store, "bridge")
        if _is_there(found, avoided):
            return found
        if not found["pools"]:
            return _create(store, NetworkRequest("bridge"), {}, [], ipv4=True, ipv6=False)
        theirs = [subnet for network in records.every(store) for subnet in records.subnets(network)]
        found["pools"] = [_pool(ipam.next_subnet([*theirs, *avoided, *_host_routes()]))]
        found["pools"][0]["gateway"] = _gateway(found["pools"][0])
        records.replace(store, found)
        return found


def _is_there(bridge: NetworkConfig, avoided: Sequence[Subnet]) -> bool:
    return bool(bridge["pools"]) and not any(subnet in avoided for subnet in records.subnets(bridge))


def _create(
    store: Store, request: NetworkRequest, wanted: dict[str, str], pools: list[Pool], *, ipv4: bool, ipv6: bool
) -> NetworkConfig:
    others = records.every(store)
    if request.name != "bridge" and any(network["name"] == request.name for network in others):
        raise Conflict(f"network with name {request.name} already exists", hint="`rootless network ls` lists them")
    theirs = [subnet for network in others for subnet in records.subnets(network)]
    for pool in pools:
        if any(parse_subnet(pool["subnet"]).overlaps(other) for other in theirs):
            raise Conflict(
                "invalid pool request: Pool overlaps with other one on this address space",
                hint=f"another network has addresses of {pool['subnet']}: `rootless network inspect` shows which",
            )
    if not all(network["pools"] for network in others if network["name"] == "bridge") and request.name != "bridge":
        theirs.append(parse_subnet(ipam.DEFAULT_POOLS[0][0]))  # as with Docker, it is the default network's
    taken = [*theirs, *_host_routes()]
    versions = {_version(pool) for pool in pools}
    if ipv4 and 4 not in versions:
        pools.insert(0, _pool(ipam.next_subnet(taken)))
    if ipv6 and 6 not in versions:
        pools.append(_pool(ipam.random_subnet6(taken, os.urandom)))
    for pool in pools:
        pool["gateway"] = pool["gateway"] or _gateway(pool)
    network: NetworkConfig = {
        "version": records.VERSION,
        "id": names.predefined_id("bridge") if request.name == "bridge" else os.urandom(32).hex(),
        "name": request.name,
        "created_at": clock.now(),
        "driver": "bridge",
        "ipv4": ipv4,
        "ipv6": ipv6,
        "internal": request.internal,
        "attachable": request.attachable,
        "labels": request.labels,
        "options": wanted,
        "ipam_options": request.ipam_options,
        "pools": sorted(pools, key=_version),
    }
    if request.name == "bridge":
        network["link"] = os.urandom(32).hex()
    records.add(store, network)
    if request.name != "bridge":  # which was there all the time, for who watches
        events.write(store, "network", "create", network["id"], name=network["name"], type="bridge")
    return network


def _version(pool: Pool) -> int:
    return 6 if ":" in pool["subnet"] else 4


def _pool(subnet: Subnet) -> Pool:
    return {"subnet": str(subnet), "ip_range": "", "gateway": "", "auxiliary": {}}


def _gateway(pool: Pool) -> str:
    """The first address that is not an auxiliary one."""
    subnet = parse_subnet(pool["subnet"])
    number = ipam.first_address(subnet)
    while number <= subnet.last:
        text = to_text(subnet.version, number)
        if text not in pool["auxiliary"].values():
            return text
        number += 1
    raise InvalidInput(f"subnet {pool['subnet']} has no address left for a gateway", hint="choose a larger --subnet")


def _host_routes() -> list[Subnet]:
    texts = []
    for path in ("/proc/self/net/route", "/proc/self/net/ipv6_route"):
        try:
            with open(path, encoding="ascii") as file:
                texts.append(file.read())
        except OSError:
            texts.append("")
    return ipam.host_routes(*texts)
