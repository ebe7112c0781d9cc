"""slirp4netns, started for a container's network namespace.

Runs in the supervisor (docs/development/architecture.md, Launch), which sits in the session's user namespace and
in the host's network namespace. Readiness is awaited, so no container's command ever runs
before its network is up. slirp4netns ends by itself when the last copy of the descriptor in
"hold_fds" is closed, whatever became of us. slirp4netns(1).
"""

from __future__ import annotations

import os

from rootless import paths
from rootless.linux.process import start_time
from rootless.network import ports
from rootless.network.uplink import program
from rootless.network.uplink.program import READY_TIMEOUT_S, UplinkProcess
from rootless.network.uplink.slirp4netns import arguments
from rootless.network.uplink.slirp4netns.arguments import Job
from rootless.network.uplink.slirp4netns.options import SlirpOptions, parse
from rootless.record import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from rootless.network.ports import PortMapping

__all__ = ["SlirpOptions", "find", "parse", "start"]

PROTECTIONS = ("sandbox", "seccomp")


def find() -> str | None:
    """Absolute path of slirp4netns; None without one."""
    return paths.find_program("slirp4netns")


def start(
    pid: int,
    *,
    namespaces: tuple[int, int] | None = None,
    run_dir: str,
    ports: Sequence[PortMapping] = (),
    options: SlirpOptions | None = None,
    name: str = "",
    port_holder: Callable[[PortMapping], str | None] | None = None,
    timeout_s: float = READY_TIMEOUT_S,
) -> dict[str, Any]:
    """Connect the network namespace of `pid` and publish `ports`; the network is up on return.

    namespaces: descriptors of its user and network namespace, for a process whose /proc/PID/ns
    cannot be read any more (an init is undumpable).
    run_dir: an existing private directory for the API socket. name: the container's, for
    messages. port_holder: asked only when a port is taken, the name of our own running
    container that has it. Returns {"pid", "start_time", "hold_fds": [fd], "address",
    "gateway", "dns", "prefix_length", "mtu", "ports": ports.to_data(), "api_socket",
    "protection": [...], "warnings": [...]}; the caller owns hold_fds (close-on-exec) and the
    child process. All but hold_fds is meant to be recorded.

    Raises NotSupported (no slirp4netns, no /dev/net/tun, a privileged port), Conflict (a port
    is taken), Unavailable (not ready in time). On an error nothing is left running.
    """
    options = options or SlirpOptions()
    udp_unheard: list[str] = []
    if ports:
        from rootless.network.uplink.slirp4netns import port_forward

        udp_unheard = port_forward.refuse_unanswerable(ports, options)
    user_fd, network_fd = namespaces or (-1, -1)
    running, protection = _start_protected(Job(_program(), pid, user_fd, network_fd, run_dir, options), timeout_s)
    try:
        published: Sequence[PortMapping] = ()
        if ports:
            published = port_forward.publish(
                os.path.join(run_dir, arguments.API_SOCKET_NAME),
                ports,
                guest_address=options.addresses().container,
                name=name,
                port_holder=port_holder,
            )
        started = start_time(running.pid)
    except BaseException:
        program.stop(running)
        raise
    # From here on its stderr has no reader: its writes fail, which it ignores.
    os.close(running.stderr_fd)
    data = _record(running, started, options, published, protection, run_dir)
    data["warnings"] += udp_unheard
    return data


def start_in_hub(hub: int, options: SlirpOptions, *, timeout_s: float = READY_TIMEOUT_S) -> tuple[UplinkProcess, list[str]]:
    """Connect the hub, a network namespace of our own user namespace: the process, and warnings as start()'s.

    The caller owns the child process, its exit_fd and its stderr_fd. Errors as start()'s.
    """
    running, protection = _start_protected(Job(_program(), 0, -1, hub, "", options), timeout_s)
    return running, _unprotected(protection)


def _program() -> str:
    path = find()
    if path is None:
        from rootless.network.uplink.slirp4netns.diagnosis import missing_error

        raise missing_error()
    return path


def _unprotected(protection: Sequence[str]) -> list[str]:
    off = [word for word in PROTECTIONS if word not in protection]
    return [f"slirp4netns runs without its {word}, which this host does not give it" for word in off]


def _record(
    running: UplinkProcess,
    started: int,
    options: SlirpOptions,
    published: Sequence[PortMapping],
    protection: Sequence[str],
    run_dir: str,
) -> dict[str, Any]:
    addresses = options.addresses()
    return {
        "pid": running.pid,
        "start_time": started,
        "hold_fds": [running.exit_fd],
        "address": addresses.container,
        "gateway": addresses.gateway,
        "dns": addresses.dns,
        "prefix_length": addresses.prefix_length,
        "mtu": options.mtu,
        "ports": ports.to_data(published),
        "api_socket": os.path.join(run_dir, arguments.API_SOCKET_NAME),
        "protection": list(protection),
        "warnings": _unprotected(protection),
    }


def _start_protected(job: Job, timeout_s: float) -> tuple[UplinkProcess, list[str]]:
    """Start with every protection of its own; without one only where that one cannot be had."""
    protection = list(PROTECTIONS)
    while True:
        running = arguments.spawn(job, protection)
        try:
            program.wait_until_ready(running, timeout_s)
        except program.NotReady as failure:
            from rootless.network.uplink.slirp4netns import diagnosis

            if not failure.args:
                raise diagnosis.timeout_error(timeout_s) from None
            culprit = diagnosis.failing_protection(str(failure), protection)
            if culprit is None:
                raise diagnosis.start_error(str(failure)) from None
            protection.remove(culprit)
        else:
            return running, protection
