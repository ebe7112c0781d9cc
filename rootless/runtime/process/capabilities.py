"""A container's capabilities: Docker's default set, and the OCI's words checked. Pure. Hot path."""

from __future__ import annotations

from rootless.errors import InvalidInput
from rootless.linux.capability import CAPABILITIES
from rootless.record import TYPE_CHECKING, Record

if TYPE_CHECKING:
    from typing import Any

# Podman's set: Docker's less AUDIT_WRITE and MKNOD, which give nothing in a user namespace, and
# NET_RAW (docs/development/decisions/sandbox-defaults.md).
DEFAULT_CAPABILITIES = (
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FSETID",
    "CAP_FOWNER",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETFCAP",
    "CAP_SETPCAP",
    "CAP_NET_BIND_SERVICE",
    "CAP_SYS_CHROOT",
    "CAP_KILL",
)


class Capabilities(Record):
    """The five sets of capabilities(7), by name."""

    effective: frozenset[str]
    permitted: frozenset[str]
    inheritable: frozenset[str]
    bounding: frozenset[str]
    ambient: frozenset[str]


def read_capabilities(process: dict[str, Any], *, last: int) -> Capabilities:
    """process.capabilities; absent means none at all. Names newer than the kernel, whose highest
    is `last`, are left out as they cannot be had; unknown names are InvalidInput."""
    given = process.get("capabilities") or {}
    sets = []
    for field in Capabilities._fields:
        names = given.get(field) or []
        for name in names:
            if name not in CAPABILITIES:
                raise InvalidInput(f"unknown capability {name!r}")
        sets.append(frozenset(name for name in names if CAPABILITIES[name] <= last))
    return Capabilities(*sets)
