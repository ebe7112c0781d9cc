"""pasta as an uplink (uplink/driver.py).

Its process sits in the host's network namespace and the container's user namespace, below our tether.
"""

from __future__ import annotations

from rootless.network.uplink.pasta import start
from rootless.network.uplink.pasta.options import PastaOptions, parse
from rootless.record import TYPE_CHECKING, Record

if TYPE_CHECKING:
    from typing import Any

    from rootless.network.uplink.connection import Addresses, Connection


class Pasta(Record):
    """The uplink of one container."""

    options: PastaOptions

    @staticmethod
    def configure(words: list[str]) -> Pasta:
        """With these options of pasta's; InvalidInput."""
        return Pasta(parse(words))

    @property
    def host_loopback(self) -> bool:
        """As Uplink."""
        return self.options.map_gateway

    def addresses(self) -> Addresses:
        """As Uplink."""
        return self.options.addresses()

    def connect(self, pid: int, namespaces: tuple[int, int], wanted: Connection) -> dict[str, Any]:
        """As Uplink."""
        del pid
        return start.start(namespaces, wanted, self.options)
