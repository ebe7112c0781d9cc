"""Descriptors that systemd hands to the service it starts: sd_listen_fds(3), from 3 on. Hot path."""

from __future__ import annotations

import os

PASSED_MAX = 512  # helpers/monitor/process.h


def listen_fds(*, demand_pid: bool = True) -> int:
    """How many descriptors after stderr systemd, or a monitor that was this process, has handed to us.

    LISTEN_PID says to whom; without `demand_pid` it may be missing, as runc's callers leave it out.
    """
    given = os.environ.get("LISTEN_FDS", "")
    own = str(os.getpid())
    if not given.isdecimal() or os.environ.get("LISTEN_PID", "" if demand_pid else own) != own:
        return 0
    return min(int(given), PASSED_MAX)


def listen_environment(count: int, *, pid: int) -> list[str]:
    """What a process that has the descriptors, and is `pid` to itself, finds in its environment."""
    return [f"LISTEN_FDS={count}", f"LISTEN_PID={pid}"]
