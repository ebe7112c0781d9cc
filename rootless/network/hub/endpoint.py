"""A network and a container's place on it, as the kernel needs them: what the engine and the hub share."""

from __future__ import annotations

from rootless.errors import Conflict
from rootless.record import Record


class OtherRoot(Conflict):
    """A network of another data root of the user's has the addresses, and containers."""


class Bridge(Record):
    """One network. Addresses are text, "" where the network has none of that family."""

    id: str  # 64 hexadecimal digits
    subnet4: str = ""  # "172.18.0.0/16"
    gateway4: str = ""  # "172.18.0.1", the bridge's own address
    subnet6: str = ""
    gateway6: str = ""
    mtu: int = 0  # 0: that of the host's default route
    internal: bool = False  # no way out of it, and none in
    icc: bool = True  # its containers reach each other

    @property
    def name(self) -> str:
        """The link in the hub, as Docker calls it."""
        return "br-" + self.id[:12]


class Endpoint(Record):
    """One container on one network."""

    bridge: Bridge
    interface: str  # in the container: "eth0"
    link: str  # its other end in the hub, a name of its own, by which it is found whatever the container has made of its end
    mac: str  # "02:42:ac:12:00:02"
    address4: str = ""  # without a prefix length
    address6: str = ""
    default4: bool = False  # the default route goes by it
    default6: bool = False


class Attached(Record):
    """What attach() has made besides links. Descriptors are the caller's to close, -1 where there is none."""

    resolver_udp: int = -1  # bound to 127.0.0.11:53 in the container's namespace
    resolver_tcp: int = -1  # the same, listening
    undo: tuple[bytes, ...] = ()  # rtnetlink messages for netd's `undo`: to be sent in the hub when the container has ended
    uplink: bool = False  # the hub has a way out already
    gate: bool = False  # what the container's TCP goes out by, if there is any such network, is the gate already


class Uplink(Record):
    """The process that connects the hub with the host's network. Both descriptors are the caller's, for netd."""

    pid: int
    pidfd: int
    exit_fd: int  # the process ends when the last copy of it is closed
    warnings: tuple[str, ...] = ()


class PortRule(Record):
    """The routing rule of a published port, as whole rtnetlink messages."""

    add: bytes
    remove: bytes
