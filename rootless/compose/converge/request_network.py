"""A service's network, as the engine has it: networks with names and addresses, published ports, or another's network."""

from __future__ import annotations

from typing import Any

from rootless.compose.load.project import Project
from rootless.compose.plan import names
from rootless.engine.networks import choice
from rootless.engine.networks import names as network_names
from rootless.engine.state.config import EndpointConfig, Network, default_network, no_demands
from rootless.errors import InvalidInput, NotSupported
from rootless.network import ports


def network(project: Project, service: str, *, mode: str, aliases: bool = True, publish: bool = True) -> Network:
    """`mode` is `network_mode` with its service replaced by a container, "" where the service is on networks.
    `aliases`: whether it is found by the service's name."""
    config = project.services[service]
    words = [_published(port) for port in config.get("ports") or ()] if publish else []
    found: Network = {
        "mode": mode or "bridge",
        "options": [],
        "ports": ports.to_data(ports.parse(words)),
        "exposed": [f"{port}/{protocol}" for port, protocol in ports.parse_exposed(config.get("expose") or ())],
        "publish_all": False,
        "dns": list(config.get("dns") or ()),
        "dns_search": list(config.get("dns_search") or ()),
        "dns_options": list(config.get("dns_opt") or ()),
        "add_host": [word.replace("=", ":", 1) for word in config.get("extra_hosts") or ()],
    }
    kind, options = network_names.mode_of(mode)
    if kind in network_names.UPLINKS:
        found["mode"], found["options"] = kind, options
    elif mode in ("bridge", "default"):
        found["mode"], found["networks"] = "bridge", default_network()
        if mode == "default":
            found["default"] = True
    elif not mode:
        endpoints = _endpoints(project, service, config, aliases=aliases)
        found["mode"], found["networks"] = next(iter(endpoints)), endpoints
    elif mode not in ("none", "host") and not mode.startswith("container:"):
        found["networks"] = {mode: no_demands()}
    return found


def _published(port: dict[str, Any]) -> str:
    if not port.get("target"):
        raise InvalidInput("ports: an entry has no target, the port of the container")
    host = str(port.get("host_ip") or "")
    host = f"[{host}]" if ":" in host else host
    published = str(port.get("published") or "")
    if str(port.get("protocol") or "tcp") not in ("tcp", "udp"):
        raise NotSupported(f"ports: {port['protocol']} is not supported", hint="tcp or udp")
    return f"{host + ':' if host else ''}{published + ':' if published or host else ''}{port['target']}/{port.get('protocol') or 'tcp'}"


def _endpoints(project: Project, service: str, config: dict[str, Any], *, aliases: bool) -> dict[str, EndpointConfig]:
    asked: dict[str, dict[str, Any]] = {key: entry or {} for key, entry in (config.get("networks") or {}).items()}
    order = sorted(asked, key=lambda key: (-int(asked[key].get("priority") or 0), key))
    found: dict[str, EndpointConfig] = {}
    for position, key in enumerate(order):
        entry = asked[key]
        endpoint = no_demands()
        own = [service, *(entry.get("aliases") or ())] if aliases else list(entry.get("aliases") or ())
        endpoint["aliases"] = [network_names.check_alias(str(word)) for word in dict.fromkeys(own)]
        endpoint["ip"] = choice.address(str(word), 4) if (word := entry.get("ipv4_address")) else ""
        endpoint["ip6"] = choice.address(str(word), 6) if (word := entry.get("ipv6_address")) else ""
        mac = entry.get("mac_address") or (config.get("mac_address") if position == 0 else None)
        endpoint["mac"] = choice.mac_address(str(mac)) if mac else ""
        endpoint["gw_priority"] = int(entry.get("gw_priority") or 0)
        options = {**(entry.get("driver_opts") or {})}
        if entry.get("interface_name"):
            options["com.docker.network.endpoint.ifname"] = entry["interface_name"]
        endpoint["driver_opts"] = dict(choice.driver_option(f"{name}={value}") for name, value in options.items())
        endpoint["links"] = _links(project, config)
        found[str(project.resources("networks")[key]["name"])] = endpoint
    return found


def _links(project: Project, config: dict[str, Any]) -> list[str]:
    words = []
    for word in config.get("links") or ():
        other, _, alias = word.partition(":")
        container = names.container_name(project, other, 1) if other in project.services else other
        words.append(choice.link(f"{container}:{alias or other}"))
    for word in config.get("external_links") or ():
        other, _, alias = word.partition(":")
        words.append(choice.link(f"{other}:{alias or other}"))
    return words
