"""linux.netDevices: network devices that move into the container's network namespace (rtnetlink(7)).

A device takes its permanent addresses of global scope along, which the kernel drops on the way, and is
up afterwards (config-linux.md, Network Devices). At the end of the namespace the kernel removes virtual
ones, and gives physical ones back to the machine.
"""

from __future__ import annotations

import errno
import os
import socket
from functools import partial

from rootless.errors import InvalidInput, NotSupported, RootlessError
from rootless.linux import struct
from rootless.linux.namespace import CLONE_NEWNET, setns
from rootless.linux.netlink import address as ifaddr
from rootless.linux.netlink.connection import Route
from rootless.linux.netlink.link import IFF_UP, IFLA_IFNAME, IFLA_NET_NS_FD, LINK, RTM_SETLINK
from rootless.linux.netlink.message import NLM_F_CREATE, NLM_F_EXCL, attribute, attributes
from rootless.record import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

def check(spec: dict[str, Any], *, capable: bool, own_network: bool) -> None:
    """Refuse what cannot be done before anything is made."""
    devices = (spec.get("linux") or {}).get("netDevices") or {}
    if not devices:
        return
    if not own_network:
        raise InvalidInput("config.json: linux.netDevices: needs a network namespace of the container's own")
    if not capable:
        raise NotSupported(
            "config.json: linux.netDevices: this caller may not move network devices",
            hint="that takes CAP_NET_ADMIN where they are: real root, or root of the user namespace that owns it",
        )
    seen = set()
    for name, device in devices.items():
        _index(name)
        new = device.get("name") or name
        if new in seen:
            raise InvalidInput(f"config.json: linux.netDevices.{name}.name: {new!r} is given twice")
        if not 0 < len(new.encode()) < 16 or "/" in new or any(c.isspace() for c in new) or new in (".", ".."):
            raise InvalidInput(f"config.json: linux.netDevices.{name}.name: {new!r} cannot name a device")
        seen.add(new)


def _index(name: str) -> int:
    try:
        return socket.if_nametoindex(name)
    except OSError:
        raise InvalidInput(f"config.json: linux.netDevices.{name}: there is no such network device") from None


def move(devices: dict[str, Any], namespace: int) -> None:
    """Move `devices` from our network namespace into the one of the descriptor `namespace`."""
    moves = [(name, device.get("name") or name) for name, device in devices.items()]
    for name, new in moves:
        _in(namespace, name, partial(_demand_free, new))
    for name, new in moves:
        _move(name, new, namespace)


def _move(name: str, new: str, namespace: int) -> None:
    index = _index(name)
    with Route() as route:
        found = route.dump(ifaddr.RTM_GETADDR, ifaddr.ADDRESS.pack(0, 0, 0, 0, 0))
        addresses = [payload for kind, payload in found if kind == ifaddr.RTM_NEWADDR and _stays(payload, index)]
        words = attribute(IFLA_IFNAME, new.encode() + b"\0")
        words += attribute(IFLA_NET_NS_FD, struct.pack("=i", namespace))
        try:
            route.ask(RTM_SETLINK, LINK.pack(0, 0, index, 0, 0) + words)
        except OSError as error:
            raise NotSupported(f"config.json: linux.netDevices.{name}: cannot be moved: {error.strerror}") from None
    _in(namespace, name, partial(_set_up, new, addresses))


def _demand_free(new: str) -> None:
    # Asked before: the kernel moves first and renames afterwards.
    if any(new == present for _, present in socket.if_nameindex()):
        raise OSError(errno.EEXIST, f"there is a device {new} already")


def _set_up(new: str, addresses: list[bytes]) -> None:
    index = socket.if_nametoindex(new)
    with Route() as route:
        for payload in addresses:
            route.ask(ifaddr.RTM_NEWADDR, _moved(payload, index), NLM_F_CREATE | NLM_F_EXCL)
        route.ask(RTM_SETLINK, LINK.pack(0, 0, index, IFF_UP, IFF_UP))


def _in(namespace: int, name: str, work: Callable[[], None]) -> None:
    """Do `work` in a network namespace that is not ours: in a child."""
    read_end, write_end = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            setns(namespace, CLONE_NEWNET)
            work()
        except OSError as error:
            os.write(write_end, (error.strerror or str(error)).encode())
        finally:
            os._exit(0)
    os.close(write_end)
    with open(read_end, "rb") as file:
        failure = file.read().decode()
    os.waitpid(pid, 0)
    if failure:
        raise RootlessError(f"config.json: linux.netDevices.{name}: in the container: {failure}")


def _stays(payload: bytes, index: int) -> bool:
    _, _, flags, scope, owner = ifaddr.ADDRESS.unpack_from(payload)
    return owner == index and scope == 0 and bool(flags & ifaddr.IFA_F_PERMANENT)


def _moved(payload: bytes, index: int) -> bytes:
    """The answer of a dump as a request for another index."""
    family, length, _, scope, _ = ifaddr.ADDRESS.unpack_from(payload)
    dropped = (ifaddr.IFA_CACHEINFO, ifaddr.IFA_LABEL)
    kept = [(k, v) for k, v in attributes(payload[ifaddr.ADDRESS.size :]) if k not in dropped]
    return ifaddr.ADDRESS.pack(family, length, 0, scope, index) + b"".join(attribute(k, v) for k, v in kept)
