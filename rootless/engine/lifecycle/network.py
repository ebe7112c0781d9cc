"""A container's network: slirp4netns and the published ports, and its files in /etc. HOT.

What slirp4netns needs is imported for those who have one.
"""

from __future__ import annotations

from rootless.engine.state.config import OWN_NETWORK, ContainerConfig
from rootless.network.etc import hosts, resolv
from rootless.record import TYPE_CHECKING
from rootless.storage import atomic
from rootless.storage.store import Store

if TYPE_CHECKING:
    from typing import Any

    from rootless.network.ports import PortMapping
    from rootless.runtime.launch.launch import Network


def write_etc(record: ContainerConfig, directory: str) -> None:
    """The container's resolv.conf, hosts and hostname: written anew at each start, as Docker does."""
    network = record["network"]
    mode = network["mode"]
    options = None
    if mode in OWN_NETWORK:
        from rootless.network.uplink.slirp4netns import start

        options = start.parse("slirp4netns:" + ",".join(network["options"]))
    addresses = options.addresses() if options else None
    gateway = None
    if options and addresses:
        gateway = hosts.gateway_for(
            mode, allow_host_loopback=options.allow_host_loopback, gateway=addresses.gateway
        )
    elif mode == "host":
        gateway = "127.0.0.1"
    texts = {
        "resolv.conf": resolv.resolv_conf(
            mode,
            host_text=resolv.read_host(),
            dns=network["dns"],
            search=network["dns_search"],
            options=network["dns_options"],
            forwarder=addresses.dns if addresses else None,
        ),
        "hosts": hosts.hosts_file(
            mode,
            hostname=record["hostname"],
            domainname=record["domainname"],
            name=record["name"],
            address=addresses.container if addresses else None,
            extra_hosts=network["add_host"],
            host_text=resolv.read_host(hosts.HOST_PATH) if mode == "host" else "",
            gateway=gateway,
        ),
        "hostname": hosts.hostname_file(record["hostname"]),
    }
    for name, text in texts.items():
        atomic.write_bytes(f"{directory}/{name}", text.encode(), durable=False, mode=0o644)


def slirp(store: Store, record: ContainerConfig, run_dir: str) -> Network:
    """What brings up slirp4netns with the published ports, for runtime.launch."""
    from rootless.network import ports
    from rootless.network.uplink.slirp4netns import start

    network = record["network"]
    options = start.parse("slirp4netns:" + ",".join(network["options"]))
    published = ports.from_data(network["ports"])
    if network["publish_all"]:
        published += ports.publish_all(ports.read_exposed(network["exposed"]), published)

    def connect(pid: int, namespaces: tuple[int, int]) -> dict[str, Any]:
        return start.start(
            pid,
            namespaces=namespaces,
            run_dir=run_dir,
            ports=published,
            options=options,
            name=record["name"],
            port_holder=lambda mapping: _port_holder(store, mapping),
        )

    return connect


def _port_holder(store: Store, wanted: PortMapping) -> str | None:
    """The name of our own running container that has the port."""
    from rootless.engine.state import listing
    from rootless.network import ports

    for row in listing.rows(store, every=False):
        if any(ports.overlaps(wanted, taken) for taken in listing.published(row)):
            return row.name
    return None
