"""What a container wants of its uplink, and what it gets: the records that engine and drivers share."""

from __future__ import annotations

from rootless.record import TYPE_CHECKING, Record

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rootless.network.ports import PortMapping


class Addresses(Record):
    """The addresses of an uplink's network, as the container sees them."""

    gateway: str
    dns: str
    container: str
    prefix_length: int


class Connection(Record):
    """What a container wants of its uplink."""

    run_dir: str  # an existing private directory, for sockets
    ports: Sequence[PortMapping] = ()
    name: str = ""  # the container's, for messages
    port_holder: Callable[[PortMapping], str | None] | None = None
    """Asked only when a port is taken: the name of the running container of ours that has it."""
