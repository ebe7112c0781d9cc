"""`network create -o` and --driver: what is acted on, what is harmless, what is refused and why. Pure."""

from __future__ import annotations

from rootless.errors import InvalidInput, NotSupported

BRIDGE = "com.docker.network.bridge."
MTU = "com.docker.network.driver.mtu"
ICC = BRIDGE + "enable_icc"
HOST_BINDING = BRIDGE + "host_binding_ipv4"
IFACE_PREFIX = "com.docker.network.container_iface_prefix"
_BOOLEANS = (ICC, BRIDGE + "enable_ip_masquerade", BRIDGE + "inhibit_ipv4", "com.docker.network.enable_ipv4",
             "com.docker.network.enable_ipv6")  # fmt: skip
_GATEWAY_MODES = (BRIDGE + "gateway_mode_ipv4", BRIDGE + "gateway_mode_ipv6")
_SHORT = {"mtu": MTU, "icc": ICC}
"""Podman's short word for it, which Docker's drivers take, too."""
_TRUE, _FALSE = ("1", "t", "T", "true", "TRUE", "True"), ("0", "f", "F", "false", "FALSE", "False")
_HOST_INTERFACES = "it would put containers on an interface of the host, which is root's"
_DRIVERS = {
    "macvlan": _HOST_INTERFACES,
    "ipvlan": _HOST_INTERFACES,
    "overlay": "it joins machines of a swarm; rootless runs containers on one",
}


def check_driver(driver: str) -> None:
    """Raise unless a network of the driver can be made: there is one, bridge."""
    if driver in ("bridge", ""):
        return
    if driver in ("host", "null", "none"):
        name = "null" if driver == "none" else driver
        raise InvalidInput(f'only one instance of "{name}" network is allowed', hint="it is there: `rootless network ls`")
    reason = _DRIVERS.get(driver)
    if reason:
        raise NotSupported(f"network driver {driver} is not supported: {reason}", hint="leave --driver out: bridge is it")
    raise NotSupported(f"could not find plugin {driver} in v1 plugin registry: plugin not found", hint="bridge is the driver")


def normalised(asked: dict[str, str]) -> dict[str, str]:
    """The options by Docker's long keys. InvalidInput for a value that has no meaning, NotSupported for what cannot be
    had; an option that Docker does not know either is kept and has no effect, as there."""
    found = {_SHORT.get(key, key): value for key, value in asked.items()}
    for key in _BOOLEANS:
        boolean(found, key)
    for key in _GATEWAY_MODES:
        mode = found.get(key, "nat")
        if mode in ("routed", "nat-unprotected"):
            raise NotSupported(
                f"gateway mode {mode} is not supported: the host's routes to containers are root's",
                hint="publish ports with -p; nat and isolated are the modes here",
            )
        if mode not in ("nat", "isolated"):
            raise InvalidInput(f"unknown gateway mode {mode}", hint="nat or isolated")
        if mode == "isolated":
            raise NotSupported(
                "gateway mode isolated is not supported yet", hint="--internal keeps a network's containers to themselves"
            )
    if found.get(BRIDGE + "inhibit_ipv4", "false") in _TRUE:
        raise NotSupported(
            "the bridge without an address (inhibit_ipv4) is not supported: published ports and names come by it",
            hint="leave it out",
        )
    if MTU in found:
        _check_mtu(found[MTU])
    if HOST_BINDING in found:
        from rootless.engine.networks.addresses import to_number

        try:
            to_number(found[HOST_BINDING])
        except ValueError:
            raise InvalidInput(f"invalid host_binding_ipv4: {found[HOST_BINDING]}", hint="an IPv4 address") from None
    prefix = found.get(IFACE_PREFIX, "eth")
    if not 0 < len(prefix) <= 12 or not prefix.isalnum() or not prefix.isascii():
        raise InvalidInput(f"invalid container_iface_prefix: {prefix}", hint="up to 12 letters and digits")
    return found


def _check_mtu(text: str) -> None:
    if not (text.isascii() and text.isdigit() and len(text) < 6 and (text == "0" or 68 <= int(text) <= 65535)):
        raise InvalidInput(f"invalid mtu: {text}", hint="a number from 68 to 65535, or 0: that of the host's route")


def boolean(options: dict[str, str], key: str) -> bool | None:
    """The value of a yes-or-no option; None where it is not given. InvalidInput."""
    text = options.get(key)
    if text is None:
        return None
    if text not in (*_TRUE, *_FALSE):
        raise InvalidInput(f"invalid value for {key}: {text}", hint="true or false")
    return text in _TRUE
