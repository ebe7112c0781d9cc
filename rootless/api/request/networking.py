"""The networks, ports and names that a request asks for."""

from __future__ import annotations

from rootless.api.request.fields import Fields
from rootless.engine.networks import choice, names
from rootless.engine.state.config import EndpointConfig, Network, no_demands
from rootless.errors import InvalidInput, NotSupported
from rootless.network import ports

_DEFAULT = ("", "default", "bridge")


def network(config: Fields, host: Fields, networking: Fields) -> Network:
    """The Network of a new container's record. InvalidInput, NotSupported."""
    mode = str(host.text("NetworkMode")) or "default"
    if config.flag("NetworkDisabled"):
        mode = "none"
    endpoints = {str(name): endpoint(each) for name, each in networking.named("EndpointsConfig").items()}
    chosen = _choose(mode, endpoints, config, host)
    published = ports.to_data(ports.parse(_published(host)))
    exposed = [f"{port}/{protocol}" for port, protocol in ports.parse_exposed(config.names("ExposedPorts"))]
    found: Network = {
        "mode": chosen.mode,
        "options": chosen.options,
        "ports": published,
        "exposed": exposed,
        "publish_all": host.flag("PublishAllPorts"),
        "dns": _lines(host, "Dns"),
        "dns_search": _lines(host, "DnsSearch"),
        "dns_options": _lines(host, "DnsOptions"),
        "add_host": _lines(host, "ExtraHosts"),
    }
    if chosen.networks:
        found["networks"] = chosen.networks
    if chosen.default:
        found["default"] = True
    return found


def _choose(mode: str, endpoints: dict[str, EndpointConfig], config: Fields, host: Fields) -> choice.NetworkChoice:
    """HostConfig.NetworkMode is the first network, and what EndpointsConfig has besides comes after it."""
    asked = {_canonical(name): each for name, each in endpoints.items()}
    first = asked.pop(_canonical(mode), no_demands())
    if (mac := config.text("MacAddress")) and not first["mac"]:
        first["mac"] = choice.mac_address(mac)
    first["links"] += [choice.link(word) for word in host.texts("Links")]
    kind, uplink = names.mode_of(_canonical(mode))
    every = [choice.Asked(kind, uplink, first)]
    every += [choice.Asked(name, [], each) for name, each in asked.items()]
    return choice.combine(every, unnamed=mode in ("", "default"))


def _canonical(name: str) -> str:
    return "bridge" if name in _DEFAULT else name


def endpoint(fields: Fields) -> EndpointConfig:
    """EndpointSettings as a client sends them: addresses that only an answer has are not looked at."""
    ipam = fields.object("IPAMConfig")
    if ipam.texts("LinkLocalIPs"):
        raise NotSupported("LinkLocalIPs are not supported: an interface has the addresses of its network")
    found = no_demands()
    found["aliases"] = [names.check_alias(word) for word in fields.texts("Aliases")]
    found["links"] = [choice.link(word) for word in fields.texts("Links")]
    found["ip"] = choice.address(word, 4) if (word := ipam.text("IPv4Address")) else ""
    found["ip6"] = choice.address(word, 6) if (word := ipam.text("IPv6Address")) else ""
    found["mac"] = choice.mac_address(word) if (word := fields.text("MacAddress")) else ""
    found["driver_opts"] = dict(choice.driver_option(f"{key}={value}") for key, value in fields.pairs("DriverOpts").items())
    found["gw_priority"] = fields.number("GwPriority")
    return found


def _published(host: Fields) -> list[str]:
    """PortBindings as the words of -p. Without a binding, or without its port, the host's port is any free one."""
    found = []
    for port, bindings in host.lists("PortBindings").items():
        if not bindings:
            found.append(str(port))
        for each in bindings:
            address, number = str(each.text("HostIp")), str(each.text("HostPort"))
            if any(letter in address + number + port for letter in "=[] ,") or not port.partition("/")[0]:
                raise InvalidInput(f"invalid port specification: {address}:{number}:{port}")
            number = "" if number == "0" else number
            if address:
                found.append(f"[{address}]:{number}:{port}" if ":" in address else f"{address}:{number}:{port}")
            else:
                found.append(f"{number}:{port}" if number else str(port))
    return found


def _lines(fields: Fields, name: str) -> list[str]:
    """Words that are written into files of lines."""
    found = [*map(str, fields.texts(name))]
    for word in found:
        if not word.isprintable():
            raise InvalidInput(f"invalid {name}: {word!r} has control characters")
    return found
