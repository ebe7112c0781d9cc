"""NetworkSettings: a container's ports and networks, in the shape of Docker's API v1.51."""

from __future__ import annotations

from typing import Any

from rootless.engine.state.config import ContainerConfig, EndpointConfig, is_on_hub, on_hub
from rootless.engine.state.listing import network_id
from rootless.network import ports
from rootless.network.uplink import driver


def bindings(
    mappings: list[ports.PortMapping], *, any_address: str = "0.0.0.0"
) -> dict[str, list[dict[str, str]]]:
    """Docker's PortMap: `80/tcp` to the host's addresses and ports."""
    found: dict[str, list[dict[str, str]]] = {}
    for m in mappings:
        found.setdefault(f"{m.container_port}/{m.protocol}", []).append(
            {"HostIp": m.host_ip or any_address, "HostPort": str(m.host_port) if m.host_port else ""}
        )
    return found


def network_settings(record: ContainerConfig, state: dict[str, Any], *, running_now: bool) -> dict[str, Any]:
    """NetworkSettings; addresses only while the container runs."""
    network = (state.get("network") or {}) if running_now else {}
    published: dict[str, Any] = dict.fromkeys(record["network"]["exposed"])
    published |= bindings(ports.from_data(network.get("ports") or []))
    mode = record["network"]["mode"]
    addresses = _addresses(network)
    addresses["EndpointID"] = _turned(record, 32) if network else ""
    found: dict[str, Any] = {
        "SandboxID": _turned(record, 16) if running_now else "",
        "SandboxKey": f"/proc/{state['pid']}/ns/net" if running_now and state.get("pid") else "",
        "Ports": published,
        **addresses,
        "Networks": {},
    }
    if is_on_hub(record) and "instead_of_bridge" not in network:
        now = network.get("networks") or {}
        # As with Docker, these are the default bridge's; on networks of one's own they are empty.
        found |= _addresses(now.get("bridge") or {})
        found["Networks"] = {
            name: {**_endpoint(endpoint, now.get(name) or {}), "Outgoing": outgoing(now.get(name) or {}, network)}
            for name, endpoint in on_hub(record).items()
        }
        return found
    if mode.startswith("container:"):
        return found
    found["Networks"] = {
        mode: {
            "NetworkID": network_id(mode),
            **addresses,
            "HelperPid": network.get("pid", 0),
            # True: it runs without a network, until it is restarted.
            "Lost": running_now and driver.has_ended(network),
            # Why it is not on the bridge, which it would be on; else "".
            "InsteadOfBridge": network.get("instead_of_bridge", ""),
        }
    }
    return found


def outgoing(endpoint: dict[str, Any], network: dict[str, Any]) -> str:
    """By what TCP leaves a network of the hub: "gate", the host's own sockets, or "slirp4netns"; "" where none does. Of
    state.json: the endpoint there, and all of the container's network."""
    if not (endpoint.get("gateway") or endpoint.get("gateway6")):
        return ""
    return "gate" if network.get("gate") else "slirp4netns"


def _addresses(network: dict[str, Any]) -> dict[str, Any]:
    return {
        "Gateway": network.get("gateway", ""),
        "IPAddress": network.get("address", ""),
        "IPPrefixLen": network.get("prefix_length", 0) if network.get("address") else 0,
        "GlobalIPv6Address": network.get("address6", ""),
        "GlobalIPv6PrefixLen": network.get("prefix_length6", 0) if network.get("address6") else 0,
        "IPv6Gateway": network.get("gateway6", ""),
        "MacAddress": network.get("mac", ""),
        "EndpointID": network.get("endpoint_id", ""),
    }


def _endpoint(asked: EndpointConfig, now: dict[str, Any]) -> dict[str, Any]:
    """Docker's EndpointSettings: what was asked, and what it is while the container runs."""
    static = asked["ip"] or asked["ip6"]
    return {
        "IPAMConfig": {"IPv4Address": asked["ip"], "IPv6Address": asked["ip6"]} if static else None,
        "Links": asked["links"] or None,
        "Aliases": asked["aliases"] or None,
        "DriverOpts": asked["driver_opts"] or None,
        "GwPriority": asked["gw_priority"],
        "NetworkID": now.get("network_id") or asked["id"],
        **_addresses(now),
        "DNSNames": now.get("names") or None,
    }


def _turned(record: ContainerConfig, places: int) -> str:
    """An id of something that the container alone has: its own, turned by some digits. Unique, as that is."""
    return record["id"][places:] + record["id"][:places]
