"""Ports below ip_unprivileged_port_start: whose they are, and the administrator's line that changes that."""

from __future__ import annotations

from rootless.errors import NotSupported, RootlessError
from rootless.finding import Finding

PORT_START = "/proc/sys/net/ipv4/ip_unprivileged_port_start"


def unprivileged_port_start() -> int:
    """The first port an ordinary user may bind, ip_sysctl(7)."""
    try:
        with open(PORT_START) as file:
            return int(file.read())
    except (OSError, ValueError):
        return 1024


def port_start_fix(port: int) -> str:
    """The administrator's lines that let users bind ports from `port` on."""
    return sysctl_fix(f"net.ipv4.ip_unprivileged_port_start={port}")


def sysctl_fix(assignment: str) -> str:
    """The administrator's line that sets a kernel variable, now and after a reboot."""
    return f"echo '{assignment}' | sudo tee -a /etc/sysctl.d/60-rootless.conf && sudo sysctl --system"


def privileged_port_error(prefix: str, where: str, port: int) -> RootlessError:
    """The error for a port below ip_unprivileged_port_start; EACCES above it has another cause."""
    first = unprivileged_port_start()
    if port >= first:
        return NotSupported(f"{prefix}: Bind for {where} failed: permission denied")
    higher = 8000 + port if port < 1000 else 8000 + port % 1000
    finding = Finding(
        f"ports below {first} are reserved for root",
        f"-p {port}:... is refused",
        f"use a higher port, as -p {higher}:...",
        port_start_fix(port),
    )
    return NotSupported(f"{prefix}: Bind for {where} failed: {finding.what}", finding=finding)
