"""Bridges in the hub."""

from __future__ import annotations

from rootless.record import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rootless.network.hub.endpoint import Bridge


def remove_bridge(hub: int, bridge: Bridge) -> None:
    """Remove a network's bridge, rules and routes from the hub; nothing where there are none. It has no containers."""
    raise NotImplementedError


def ensure_gate(hub: int, bridges: Sequence[Bridge]) -> bool:
    """Send the bridges' outgoing TCP to the tun device gate0, which netd has made; whether this kernel can do so.

    False: its traffic control lacks a part, nothing is changed, and TCP goes by the uplink.
    """
    raise NotImplementedError
