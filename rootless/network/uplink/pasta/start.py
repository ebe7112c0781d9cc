"""pasta, started for a container's network namespace, with its published ports. Runs in the supervisor.

pasta binds ports as it starts, and says no more than that it could not: why is found by trying to bind them ourselves, which
also is how a free port is chosen. passt(1).
"""

from __future__ import annotations

import errno
import os

from rootless import paths
from rootless.errors import NotSupported, RootlessError, Unavailable
from rootless.linux.process import start_time
from rootless.network import ports
from rootless.network.uplink import program
from rootless.network.uplink.pasta import arguments
from rootless.network.uplink.program import READY_TIMEOUT_S, NotReady, UplinkProcess
from rootless.record import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from rootless.network.ports import PortMapping
    from rootless.network.uplink.connection import Connection
    from rootless.network.uplink.pasta.options import PastaOptions

MOST_PORTS = 1000
"""A descriptor each, and a word of its command line."""
PROTECTION = ["sandbox", "seccomp"]
"""What pasta does to itself, always: it ends where it cannot."""

_OLD = "unrecognized option '--map-host-loopback"


def find() -> str | None:
    """Absolute path of pasta; None without one."""
    return paths.find_program("pasta")


def publishes(path: str) -> bool:
    """Whether this pasta is new enough for published ports: it tells of an option that came with what they need."""
    reader, writer = os.pipe()
    actions = [(os.POSIX_SPAWN_DUP2, writer, 1), (os.POSIX_SPAWN_DUP2, writer, 2)]
    try:
        child = os.posix_spawn(path, ["pasta", "--help"], dict(os.environ), file_actions=actions)
    except OSError:
        os.close(reader)
        return False
    finally:
        os.close(writer)
    with open(reader, "rb") as pipe:
        text = pipe.read()
    os.waitpid(child, 0)
    return b"--map-host-loopback" in text


def start(namespaces: tuple[int, int], wanted: Connection, options: PastaOptions) -> dict[str, Any]:
    """Connect the network namespace (descriptors: user, network) and publish the ports; as Uplink.connect()."""
    path = find()
    if path is None:
        from rootless.network.uplink.pasta.diagnosis import missing_error

        raise missing_error()
    published = _choose(wanted) if wanted.ports else []
    job = arguments.Job(path, *namespaces, published, options, host_has_ipv6())
    try:
        running = _start_once(job, old=False)
    except NotReady as failure:
        running = _again(job, failure, wanted)
    try:
        started = start_time(running.pid)
    except BaseException:
        program.stop(running, kill=False)
        raise
    os.close(running.stderr_fd)
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
        "protection": PROTECTION,
        "warnings": [],
    }


def _again(job: arguments.Job, failure: NotReady, wanted: Connection) -> UplinkProcess:
    """Once more in the words of an old one, where it is that; else the error that explains the failure."""
    from rootless.network.uplink.pasta.diagnosis import cannot_publish, start_error

    if _OLD in str(failure):
        if job.ports:
            raise cannot_publish() from None
        try:
            return _start_once(job, old=True)
        except NotReady as second:
            failure = second
    raise _port_error(job.ports, wanted, str(failure)) or start_error(str(failure)) from None


def _start_once(job: arguments.Job, *, old: bool) -> UplinkProcess:
    """NotReady with pasta's last messages where it has ended."""
    running = arguments.spawn(job, old=old)
    try:
        program.wait_until_ready(running, READY_TIMEOUT_S)
    except NotReady as failure:
        if failure.args:
            raise
        raise Unavailable(
            f"pasta was not ready after {READY_TIMEOUT_S:g} seconds",
            hint="the host may be overloaded: try again, or use --network slirp4netns",
        ) from None
    return running


def host_has_ipv6() -> bool:
    """Whether the host has a default route of IPv6: without one a container's connections would wait for nothing."""
    try:
        with open("/proc/net/ipv6_route", encoding="ascii") as file:
            routes = [line.split() for line in file]
    except OSError:
        return False
    return any(fields[0] == "0" * 32 and fields[1] == "00" and fields[9] != "lo" for fields in routes)


def _choose(wanted: Connection) -> list[PortMapping]:
    """Each with one number of the host's that can be had. Conflict, NotSupported, InvalidInput name the first that cannot."""
    if len(wanted.ports) > MOST_PORTS:
        raise NotSupported(
            f"{len(wanted.ports)} ports cannot be published: pasta is given at most {MOST_PORTS} for a container",
            hint="publish fewer: -P publishes all that the image exposes, -p those that are named",
        )
    return [_choose_one(mapping, wanted) for mapping in wanted.ports]


def _choose_one(mapping: PortMapping, wanted: Connection) -> PortMapping:
    from rootless.network.uplink.slirp4netns.port_forward import bind_problem, free_port

    if not mapping.host_port:
        return mapping._replace(host_port=free_port(mapping, wanted.name), last_host_port=0)
    last = max(mapping.last_host_port, mapping.host_port)
    for number in range(mapping.host_port, last + 1):
        one = mapping._replace(host_port=number, last_host_port=0)
        problem = bind_problem(one)
        if not problem:
            return one
        if problem != errno.EADDRINUSE or number == last:
            break
    from rootless.network.port_errors import port_error

    raise port_error(one, problem, name=wanted.name, port_holder=wanted.port_holder)


def _port_error(published: Sequence[PortMapping], wanted: Connection, output: str) -> RootlessError | None:
    """The error for a port that somebody took after it was chosen; None where that was not it."""
    if "bind" not in output:
        return None
    from rootless.network.port_errors import port_error
    from rootless.network.uplink.slirp4netns.port_forward import bind_problem

    for mapping in published:
        problem = bind_problem(mapping)
        if problem:
            return port_error(mapping, problem, name=wanted.name, port_holder=wanted.port_holder)
    return None
