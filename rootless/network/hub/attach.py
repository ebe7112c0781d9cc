"""Containers put on networks, and taken off.

Called by the supervisor, or by a command that has joined the session: the work is done by a forked child, which
enters the hub and the container's namespace; the caller must have one thread. Every call is idempotent: it makes
what is missing. Two at once wait for each other (a lock in RUNTIME).
"""

from __future__ import annotations

from rootless.network.hub.endpoint import Attached
from rootless.record import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rootless.network.hub.endpoint import Endpoint


def attach(hub: int, network: int, endpoints: Sequence[Endpoint], *, first: bool) -> Attached:
    """Put the container's network namespace `network` on networks, whose bridges and rules are made where they are missing.

    first: at its start: `lo` up, and the resolver's sockets made.
    Errors: NotSupported (the host's kernel lacks a part), Conflict (an address or name is taken), RootlessError.
    """
    raise NotImplementedError


def detach(hub: int, network: int, endpoint: Endpoint) -> None:
    """Take the container off a network; nothing where it is not on it. Its default routes by it end with it."""
    raise NotImplementedError


def set_default(network: int, endpoint4: Endpoint | None, endpoint6: Endpoint | None) -> None:
    """Make the container's default routes go by these endpoints; None: no default route of that family."""
    raise NotImplementedError
