"""Landlock's scopes: they confine what a shared namespace of the host leaves open.

With the host's network its abstract Unix sockets are in reach (CVE-2020-15257: D-Bus, X11,
containerd-shim); with the host's pids its owner's processes can be signalled, for a container's root
has the caller's uid. A Landlock domain keeps both to the processes of the container's own domain. It
handles no file access: Landlock's rules can only ever allow (docs/development/decisions/sandbox-landlock.md). Hot path.
"""

from __future__ import annotations

import os

from rootless.errors import NotSupported
from rootless.linux import landlock
from rootless.record import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

# In an OCI process object: "on" (must be there), "off", or absent: nothing of the kind.
KEY = "io.rootless.landlock"
NAMES = {
    landlock.LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET: "abstract Unix sockets",
    landlock.LANDLOCK_SCOPE_SIGNAL: "signals",
}
_FIRST_ABI_WITH_SCOPES = 6


def available() -> bool:
    """Whether this kernel has Landlock's scopes (Linux 6.12) and Landlock is switched on."""
    try:
        return landlock.abi_version() >= _FIRST_ABI_WITH_SCOPES
    except OSError:
        return False


def needed(process: dict[str, Any], *, own_network: bool, own_pid: bool) -> int:
    """The LANDLOCK_SCOPE_* that this process is to have: 0 where nothing is shared with the host,
    where it is turned off, or where the kernel has none. NotSupported where it was demanded."""
    mode = process.get(KEY)
    if mode not in ("auto", "on"):
        return 0
    scopes = 0 if own_network else landlock.LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET
    scopes |= 0 if own_pid else landlock.LANDLOCK_SCOPE_SIGNAL
    if scopes and not available():
        if mode == "on":
            raise NotSupported(
                "Landlock's scopes are not available here",
                hint="they need Linux 6.12 with landlock among lsm=; leave --security-opt landlock=on out",
            )
        return 0
    return scopes


def apply(scopes: int) -> None:
    """Put this process into a domain of its own; it has no_new_privs or CAP_SYS_ADMIN."""
    if not scopes:
        return
    ruleset = landlock.create_ruleset(0, 0, scopes)
    try:
        landlock.restrict_self(ruleset)
    finally:
        os.close(ruleset)
