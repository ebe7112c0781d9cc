"""Why a port of the host cannot be had, in Docker's words, and what to do about it."""

from __future__ import annotations

import errno
import os

from rootless.errors import Conflict, InvalidInput, NotSupported, RootlessError
from rootless.network.ports import shown_address
from rootless.record import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from rootless.network.ports import PortMapping

    PortHolder = Callable[[PortMapping], str | None]


def port_error(
    mapping: PortMapping, problem: int, *, name: str = "", port_holder: PortHolder | None = None, refusal: str = ""
) -> RootlessError:
    """The error for a mapping that bind(2) refused with the errno `problem`; 0: only `refusal` is known.

    name: the container's. port_holder: asked where the port is taken, for the container of ours that has it.
    """
    where = f"{shown_address(mapping)}:{mapping.host_port}"
    prefix = prefix_for(name)
    if problem == errno.EADDRINUSE:
        holder = port_holder(mapping) if port_holder else None
        return Conflict(
            f"{prefix}: Bind for {where} failed: port is already allocated",
            hint=f"container {holder} has it: stop that one, or choose another host port"
            if holder
            else f"choose another host port, or stop what listens there: "
            f"ss -{mapping.protocol[0]}lnp 'sport = :{mapping.host_port}'",
        )
    if problem == errno.EACCES:
        from rootless.network.privileged_ports import privileged_port_error

        return privileged_port_error(prefix, where, mapping.host_port)
    if problem == errno.EADDRNOTAVAIL:
        return InvalidInput(
            f"{prefix}: Bind for {where} failed: cannot assign requested address",
            hint=f"{mapping.host_ip} is no address of this host: see `ip addr`",
        )
    if problem in (errno.EMFILE, errno.ENFILE):
        return NotSupported(
            f"{prefix}: Bind for {where} failed: too many open files",
            hint="each port takes two descriptors: publish fewer, or have an administrator raise your hard limit (ulimit -Hn)",
        )
    reason = os.strerror(problem) if problem else refusal
    return RootlessError(f"{prefix}: Bind for {where} failed: {reason}")


def prefix_for(name: str) -> str:
    """How Docker begins: with the container's name, where it has one."""
    return "driver failed programming external connectivity" + (f" on endpoint {name}" if name else "")
