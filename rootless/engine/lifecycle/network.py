"""A container's network: its uplink with the published ports, and its files in /etc.

What an uplink needs is imported for containers that have one. Hot path.
"""

from __future__ import annotations

from rootless import atomic
from rootless.engine.state.config import OWN_NETWORK, ContainerConfig, is_on_hub, on_hub
from rootless.engine.state.restart import own_command
from rootless.network.etc import hosts, resolv
from rootless.record import TYPE_CHECKING
from rootless.storage.store import Store

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from rootless.errors import RootlessError
    from rootless.network.ports import PortMapping
    from rootless.runtime.launch.launch import Network

RESOLVER = "127.0.0.11"
"""Where a container on networks finds netd's resolver: Docker's address, which many images have in their files."""


def write_etc(record: ContainerConfig, directory: str, more_hosts: Sequence[str] = ()) -> None:
    """The container's resolv.conf, hosts and hostname: written anew at each start, as Docker does. `more_hosts` are as
    --add-host has them."""
    for name, text in _etc(record, more_hosts).items():
        atomic.write_bytes(f"{directory}/{name}", text.encode(), durable=False, mode=0o644)


def _etc(record: ContainerConfig, more_hosts: Sequence[str] = ()) -> dict[str, str]:
    """The texts of resolv.conf, hosts and hostname."""
    network = record["network"]
    mode = network["mode"]
    addresses, gateway, resolver = None, None, None
    own = ["127.0.0.1"]
    if is_on_hub(record):
        gateway, resolver, own = hosts.gateway_for(mode), RESOLVER, []  # its addresses are written at the start
    elif mode in OWN_NETWORK:
        from rootless.network.uplink import driver

        configured = driver.configure(network["mode"], network["options"])
        addresses = configured.addresses()
        gateway = hosts.gateway_for(
            mode, allow_host_loopback=configured.host_loopback, gateway=addresses.gateway
        )
        own = [addresses.container]
    elif mode == "host":
        gateway = "127.0.0.1"
    return {
        "resolv.conf": resolv.resolv_conf(
            mode,
            host_text=resolv.read_host(),
            dns=network["dns"],
            search=network["dns_search"],
            options=network["dns_options"],
            forwarder=addresses.dns if addresses else None,
            resolver=resolver,
            has_names=is_on_hub(record) and any(name != "bridge" for name in on_hub(record)),
        ),
        "hosts": hosts.hosts_file(
            mode,
            hostname=record["hostname"],
            domainname=record["domainname"],
            name=record["name"],
            addresses=own,
            extra_hosts=[*network["add_host"], *more_hosts],
            host_text=resolv.read_host(hosts.HOST_PATH) if mode == "host" else "",
            gateway=gateway,
        ),
        "hostname": hosts.hostname_file(record["hostname"]),
    }


def connection(
    store: Store,
    record: ContainerConfig,
    run_dir: str,
    etc: str,
    *,
    more_hosts: Sequence[str] = (),
    repaired: bool = True,
) -> Network | None:
    """What the supervisor calls to connect the container and to publish its ports, for runtime.launch; None for a
    container that has no network of its own, or nothing but loopback. `etc`: where write_etc() has written, with `more_hosts`.

    repaired: the monitor notices the end of netd and has the network repaired; else that ends with it.
    """
    if not is_on_hub(record):
        return uplink(store, record, run_dir) if record["network"]["mode"] in OWN_NETWORK else None

    def connect(pid: int, namespaces: tuple[int, int]) -> dict[str, Any]:
        from rootless.engine.networks import attach
        from rootless.network.hub.netd import SOCKET_NAME

        def instead(reason: RootlessError) -> dict[str, Any]:
            for name, text in _etc(_without_hub(record), more_hosts).items():
                atomic.overwrite(f"{etc}/{name}", text.encode())  # mounted in the container
            found = uplink(store, _without_hub(record), run_dir)(pid, namespaces)
            return {**found, "instead_of_bridge": reason.message}

        alone = record["network"].get("default") and on_hub(record).keys() <= {"bridge"}
        found = attach.connect(
            store,
            record,
            pid,
            namespaces,
            lambda mapping: _port_holder(store, mapping),
            hosts_path=f"{etc}/hosts",
            instead=instead if alone else None,
        )
        if repaired and "networks" in found:
            netd = f"{store.runtime}/{SOCKET_NAME}"
            found["supervision"] = {"netd": netd, "repair": own_command("repair-network", record["id"])}
        return found

    return connect


def _without_hub(record: ContainerConfig) -> ContainerConfig:
    """The default network as slirp4netns for this container alone. What it gives up is its neighbours; nobody reaches it who
    would not have."""
    network = record["network"].copy()
    del network["networks"]
    return {**record, "network": network}


def uplink(store: Store, record: ContainerConfig, run_dir: str) -> Network:
    """The same by an uplink of the container's own: slirp4netns, or pasta."""
    from rootless.network import ports
    from rootless.network.uplink import driver
    from rootless.network.uplink.connection import Connection

    network = record["network"]
    configured = driver.configure(network["mode"], network["options"])
    published = ports.from_data(network["ports"])
    if network["publish_all"]:
        published += ports.publish_all(ports.read_exposed(network["exposed"]), published)
    wanted = Connection(run_dir, published, record["name"], lambda mapping: _port_holder(store, mapping))
    return lambda pid, namespaces: configured.connect(pid, namespaces, wanted)


def _port_holder(store: Store, wanted: PortMapping) -> str | None:
    """The name of our own running container that has the port."""
    from rootless.engine.state import listing
    from rootless.network import ports

    for row in listing.rows(store, every=False):
        if any(ports.overlaps(wanted, taken) for taken in listing.published(row)):
            return row.name
    return None
