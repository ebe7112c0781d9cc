"""The hub's way out: slirp4netns with a tap device in the hub, routed to, not translated."""

from __future__ import annotations

from rootless.record import TYPE_CHECKING

if TYPE_CHECKING:
    from rootless.network.hub.endpoint import Uplink


def ensure_uplink(hub: int) -> Uplink | None:
    """Start the uplink; None where one runs. For a bridge that is not internal, before attach().

    The caller hands the descriptors to netd. Errors: as slirp4netns's (NotSupported, Unavailable).
    """
    raise NotImplementedError
