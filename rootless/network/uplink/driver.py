"""Uplinks: what connects a container's own network namespace with the host's network.

The engine knows this interface alone; a driver is a room beside this file. Three processes take part:

    supervisor   calls connect(), in the session's user namespace and in the host's network namespace
    uplink       the driver's program, started by it: where it runs is the driver's to say
    init         in the container's namespaces; executes nothing of the container before connect() has returned

Hot path.
"""

from __future__ import annotations

from rootless.linux.process import alive
from rootless.record import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Protocol

    from rootless.network.uplink.connection import Addresses, Connection

    class Uplink(Protocol):
        """One container's uplink, configured and not started yet."""

        @property
        def host_loopback(self) -> bool:
            """Whether the container reaches the host's own 127.0.0.1, by the gateway's address."""

        def addresses(self) -> Addresses:
            """The addresses in the container's network, known before the start: /etc/hosts and resolv.conf need them."""

        def connect(self, pid: int, namespaces: tuple[int, int], wanted: Connection) -> dict[str, Any]:
            """Connect the network namespace of `pid` and publish the ports. Called by the supervisor.

            Readiness: on return the interface is configured, every port is listened to, and nothing has to be
            awaited any more. `namespaces` are descriptors of the user and the network namespace of `pid`, whose
            /proc/PID/ns nobody may read (an init is undumpable); the caller closes them.

            Ports: of the host's address and number, in the host's network namespace, with the rights of the caller.
            NotSupported names a port that is root's, Conflict one that is taken, and by which container of ours.

            Protections: what the driver's program is confined by stands in "protection", and what this host did not
            give of that in "warnings". Nothing that was asked for is left out silently.

            Returns what state.json records: "pid" and "start_time" of the uplink's process, "address", "gateway",
            "dns", "prefix_length", "mtu", "ports", "protection", "warnings", and besides, not recorded,
            "hold_fds": descriptors whose last copy ends the uplink, the caller's. On an error nothing is left.
            """


def configure(mode: str, options: list[str]) -> Uplink:
    """The uplink for the words of `--network MODE:OPTIONS`; InvalidInput where a word has no meaning."""
    if mode == "pasta":
        from rootless.network.uplink.pasta.uplink import Pasta

        return Pasta.configure(options)
    from rootless.network.uplink.slirp4netns.uplink import Slirp4netns

    return Slirp4netns.configure(options)


def has_ended(network: Mapping[str, Any]) -> bool:
    """Whether the uplink that connect() recorded has ended: a container that runs has no network then."""
    pid, started = network.get("pid"), network.get("start_time")
    if not isinstance(pid, int) or not isinstance(started, int):
        return False
    return not alive(pid, started)
