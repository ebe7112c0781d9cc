"""slirp4netns as an uplink (uplink/driver.py).

Its process sits in the host's network namespace, and has a tap device in the container's, which it enters once.
"""

from __future__ import annotations

from rootless.network.uplink.slirp4netns import start
from rootless.network.uplink.slirp4netns.options import SlirpOptions, parse
from rootless.record import TYPE_CHECKING, Record

if TYPE_CHECKING:
    from typing import Any

    from rootless.network.uplink.connection import Addresses, Connection


class Slirp4netns(Record):
    """The uplink of one container."""

    options: SlirpOptions

    @staticmethod
    def configure(words: list[str]) -> Slirp4netns:
        """With these options, "name=value" each; InvalidInput."""
        return Slirp4netns(parse("slirp4netns:" + ",".join(words)))

    @property
    def host_loopback(self) -> bool:
        """As Uplink."""
        return self.options.allow_host_loopback

    def addresses(self) -> Addresses:
        """As Uplink."""
        return self.options.addresses()

    def connect(self, pid: int, namespaces: tuple[int, int], wanted: Connection) -> dict[str, Any]:
        """As Uplink."""
        return start.start(
            pid,
            namespaces=namespaces,
            run_dir=wanted.run_dir,
            ports=wanted.ports,
            options=self.options,
            name=wanted.name,
            port_holder=wanted.port_holder,
        )
