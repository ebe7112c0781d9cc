"""Routing rules of the hub, as messages."""

from __future__ import annotations

from rootless.record import TYPE_CHECKING

if TYPE_CHECKING:
    from rootless.network.hub.endpoint import Endpoint, PortRule


def port_rules(endpoint: Endpoint, protocol: str, first: int, last: int) -> list[PortRule]:
    """What makes answers from the container's ports `first` to `last` ("tcp", "udp") come back to netd, whatever their
    destination: one rule for each family that the endpoint has. To be given to send_rules()."""
    raise NotImplementedError


def send_rules(hub: int, messages: list[bytes]) -> None:
    """Send rtnetlink messages in the hub; what is there already, or gone already, is no error."""
    raise NotImplementedError
