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
from rootless.record import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

_RTM_SETLINK, _RTM_NEWADDR, _RTM_GETADDR = 19, 20, 22
_NLM_F_REQUEST, _NLM_F_ACK, _NLM_F_DUMP = 0x001, 0x004, 0x300
_NLM_F_EXCL, _NLM_F_CREATE = 0x200, 0x400
_NLMSG_ERROR, _NLMSG_DONE = 2, 3
_IFLA_IFNAME, _IFLA_NET_NS_FD = 3, 28
_IFA_CACHEINFO, _IFA_LABEL, _IFA_PERMANENT = 6, 3, 0x80
_IFF_UP = 1
_HEADER = struct.Struct("=IHHII")  # struct nlmsghdr
_LINK = struct.Struct("=BxHiII")  # struct ifinfomsg
_ADDRESS = struct.Struct("=BBBBI")  # struct ifaddrmsg


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
    with _open() as route:
        addresses = [payload for payload in _dump(route) if _stays(payload, index)]
        words = _attribute(_IFLA_IFNAME, new.encode() + b"\0") + _attribute(
            _IFLA_NET_NS_FD, struct.pack("=i", namespace)
        )
        try:
            _ask(route, _RTM_SETLINK, _LINK.pack(0, 0, index, 0, 0) + words)
        except OSError as error:
            raise NotSupported(f"config.json: linux.netDevices.{name}: cannot be moved: {error.strerror}") from None
    _in(namespace, name, partial(_set_up, new, addresses))


def _demand_free(new: str) -> None:
    # Asked before: the kernel moves first and renames afterwards.
    if any(new == present for _, present in socket.if_nameindex()):
        raise OSError(errno.EEXIST, f"there is a device {new} already")


def _set_up(new: str, addresses: list[bytes]) -> None:
    index = socket.if_nametoindex(new)
    with _open() as route:
        for payload in addresses:
            _ask(route, _RTM_NEWADDR, _moved(payload, index), _NLM_F_CREATE | _NLM_F_EXCL)
        _ask(route, _RTM_SETLINK, _LINK.pack(0, 0, index, _IFF_UP, _IFF_UP))


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
        said = file.read().decode()
    os.waitpid(pid, 0)
    if said:
        raise RootlessError(f"config.json: linux.netDevices.{name}: in the container: {said}")


def _open() -> socket.socket:
    return socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE)


def _attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    while len(data) >= 4:
        size, kind = struct.unpack_from("=HH", data)
        yield kind, data[4:size]
        data = data[max(4, size + -size % 4) :]


def _stays(payload: bytes, index: int) -> bool:
    _, _, flags, scope, owner = _ADDRESS.unpack_from(payload)
    return owner == index and scope == 0 and bool(flags & _IFA_PERMANENT)


def _moved(payload: bytes, index: int) -> bytes:
    """The answer of a dump as a request for another index."""
    family, length, _, scope, _ = _ADDRESS.unpack_from(payload)
    kept = [(k, v) for k, v in _attributes(payload[_ADDRESS.size :]) if k not in (_IFA_CACHEINFO, _IFA_LABEL)]
    return _ADDRESS.pack(family, length, 0, scope, index) + b"".join(_attribute(k, v) for k, v in kept)


def _send(route: socket.socket, kind: int, flags: int, payload: bytes) -> None:
    route.send(_HEADER.pack(_HEADER.size + len(payload), kind, _NLM_F_REQUEST | flags, 1, 0) + payload)


def _replies(route: socket.socket) -> Iterator[tuple[int, bytes]]:
    while True:
        data = route.recv(1 << 16)
        while data:
            size, kind, _, _, _ = _HEADER.unpack_from(data)
            yield kind, data[_HEADER.size : size]
            data = data[size + -size % 4 :]


def _ask(route: socket.socket, kind: int, payload: bytes, flags: int = 0) -> None:
    """One request; OSError with the kernel's answer."""
    _send(route, kind, _NLM_F_ACK | flags, payload)
    for answer, data in _replies(route):
        if answer == _NLMSG_ERROR:
            (code,) = struct.unpack_from("=i", data)
            if code:
                raise OSError(-code, os.strerror(-code))
            return


def _dump(route: socket.socket) -> Iterator[bytes]:
    _send(route, _RTM_GETADDR, _NLM_F_DUMP, _ADDRESS.pack(0, 0, 0, 0, 0))
    for kind, data in _replies(route):
        if kind == _NLMSG_DONE:
            return
        if kind == _RTM_NEWADDR:
            yield data
