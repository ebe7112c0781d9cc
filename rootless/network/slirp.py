"""slirp4netns: starts it for a container's network namespace and knows whether it still lives.

Runs in process A (docs/architecture.md, Launch), which sits in the session's user namespace and
in the host's network namespace. Readiness is awaited, so no container's command ever runs
before its network is up. slirp4netns ends by itself when the last copy of the descriptor in
"hold_fds" is closed, whatever became of us. slirp4netns(1). Imported on the hot path.
"""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from rootless.errors import RootlessError
from rootless.linux.process import alive, start_time
from rootless.network import forward, ports
from rootless.network.options import Options, parse
from rootless.network.ports import PortMapping

__all__ = ["Options", "find", "lost", "parse", "start"]

READY_TIMEOUT_S = 20.0
API_SOCKET_NAME = "slirp.sock"
INTERFACE = "tap0"
PROTECTIONS = ("sandbox", "seccomp")

_EXTRA_PLACES = ("/usr/bin", "/usr/local/bin", "/bin", "/usr/libexec/podman", "/usr/lib/podman")
_PASSED_ON = ("PATH", "LD_LIBRARY_PATH", "HOME")


class _Failed(Exception):
    """slirp4netns ended before it was ready; what it said is the argument."""


class _Running(NamedTuple):
    pid: int
    exit_fd: int
    ready_fd: int
    stderr_fd: int


def find() -> str | None:
    """Absolute path of slirp4netns on $PATH or where distributions hide it; None without one."""
    for directory in (*os.environ.get("PATH", "").split(":"), *_EXTRA_PLACES):
        path = f"{directory}/slirp4netns"
        if directory.startswith("/") and os.access(path, os.X_OK):
            return path
    return None


def start(
    pid: int,
    *,
    namespaces: tuple[int, int] | None = None,
    run_dir: str,
    ports: Sequence[PortMapping] = (),
    options: Options | None = None,
    name: str = "",
    port_holder: Callable[[PortMapping], str | None] | None = None,
    timeout_s: float = READY_TIMEOUT_S,
) -> dict[str, Any]:
    """Connect the network namespace of `pid` and publish `ports`; the network is up on return.

    namespaces: descriptors of its user and network namespace, for a process whose /proc/PID/ns
    nobody may look into any more (a container being born is not dumpable).
    run_dir: an existing private directory for the API socket. name: the container's, for
    messages. port_holder: asked only when a port is taken, the name of our own running
    container that has it. Returns {"pid", "start_time", "hold_fds": [fd], "address",
    "gateway", "dns", "prefix_length", "mtu", "ports": ports.to_data(), "api_socket",
    "protection": [...], "warnings": [...]}; the caller owns hold_fds (close-on-exec) and the
    child process. All but hold_fds is meant to be recorded.

    Raises NotSupported (no slirp4netns, no /dev/net/tun, a privileged port), Conflict (a port
    is taken), Unavailable (not ready in time). On an error nothing is left running.
    """
    options = options or Options()
    udp_unheard = forward.refuse_unanswerable(ports, options)
    path = find()
    if path is None:
        from rootless.network.diagnosis import missing_error

        raise missing_error()
    running, protection = _start_protected(path, pid, namespaces, run_dir, options, timeout_s)
    try:
        published = forward.publish(
            os.path.join(run_dir, API_SOCKET_NAME),
            ports,
            guest_address=options.addresses().container,
            name=name,
            port_holder=port_holder,
        )
        started = start_time(running.pid)
    except BaseException:
        _stop(running)
        raise
    # From here on nobody reads what slirp4netns says: its writes fail, which it ignores.
    os.close(running.stderr_fd)
    data = _record(running, started, options, published, protection, run_dir)
    data["warnings"] += udp_unheard
    return data


def lost(data: Mapping[str, Any]) -> bool:
    """Whether the slirp4netns that `start` recorded has gone: a running container has no network."""
    pid, started = data.get("pid"), data.get("start_time")
    if not isinstance(pid, int) or not isinstance(started, int):
        return False
    return not alive(pid, started)


def _record(
    running: _Running,
    started: int,
    options: Options,
    published: Sequence[PortMapping],
    protection: Sequence[str],
    run_dir: str,
) -> dict[str, Any]:
    addresses = options.addresses()
    off = [word for word in PROTECTIONS if word not in protection]
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
        "api_socket": os.path.join(run_dir, API_SOCKET_NAME),
        "protection": list(protection),
        "warnings": [f"slirp4netns runs without its {word}, which this host does not give it" for word in off],
    }


def _start_protected(
    path: str,
    pid: int,
    namespaces: tuple[int, int] | None,
    run_dir: str,
    options: Options,
    timeout_s: float,
) -> tuple[_Running, list[str]]:
    """Start with every protection of its own; without one only where that one cannot be had."""
    protection = list(PROTECTIONS)
    while True:
        try:
            return _start_once(path, pid, namespaces, run_dir, options, protection, timeout_s), protection
        except _Failed as failure:
            from rootless.network.diagnosis import failing_protection, start_error

            culprit = failing_protection(str(failure), protection)
            if culprit is None:
                raise start_error(str(failure)) from None
            protection.remove(culprit)


def _start_once(
    path: str,
    pid: int,
    namespaces: tuple[int, int] | None,
    run_dir: str,
    options: Options,
    protection: Sequence[str],
    timeout_s: float,
) -> _Running:
    running = _spawn(path, pid, namespaces, run_dir, options, protection)
    try:
        deadline = time.monotonic() + timeout_s
        poll = select.poll()
        poll.register(running.ready_fd, select.POLLIN)
        while not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
            if time.monotonic() >= deadline:
                from rootless.network.diagnosis import timeout_error

                raise timeout_error(timeout_s)
        ready = os.read(running.ready_fd, 1)
        if not ready:
            raise _Failed(_last_words(running))
    except BaseException:
        os.close(running.ready_fd)
        _stop(running)
        raise
    os.close(running.ready_fd)
    return running


def _arguments(target: Sequence[str], socket_path: str, options: Options, protection: Sequence[str]) -> list[str]:
    argv = [
        "slirp4netns",
        "--configure",
        f"--mtu={options.mtu}",
        f"--cidr={options.cidr}",
        f"--api-socket={socket_path}",
        "--exit-fd=3",
        "--ready-fd=4",
        *(f"--enable-{word}" for word in protection),
    ]
    if not options.allow_host_loopback:
        argv.append("--disable-host-loopback")
    if options.enable_ipv6:
        argv.append("--enable-ipv6")
    if options.outbound_addr:
        argv.append(f"--outbound-addr={options.outbound_addr}")
    if options.outbound_addr6:
        argv.append(f"--outbound-addr6={options.outbound_addr6}")
    return [*argv, *target, INTERFACE]


def _spawn(
    path: str,
    pid: int,
    namespaces: tuple[int, int] | None,
    run_dir: str,
    options: Options,
    protection: Sequence[str],
) -> _Running:
    """Start the program: 0-2 as usual, 3 the exit pipe, 4 the ready pipe, and nothing else of ours.

    Save the namespaces, if they come as descriptors, and the directory of an API socket whose path
    is too long for unix(7).
    """
    opened: list[int] = []
    try:
        opened += os.pipe()
        opened += os.pipe()
        opened += os.pipe()
        null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
        opened.append(null)
        exit_r, exit_w, ready_r, ready_w, stderr_r, stderr_w = opened[:6]
        wanted = [(null, 0), (null, 1), (stderr_w, 2), (exit_r, 3), (ready_w, 4)]
        socket_path = os.path.join(run_dir, API_SOCKET_NAME)
        if forward.is_too_long(socket_path):
            directory = os.open(run_dir, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            opened.append(directory)
            wanted.append((directory, len(wanted)))
            socket_path = forward.short_path(API_SOCKET_NAME, len(wanted) - 1)
        target = ["--netns-type=pid", str(pid)]
        if namespaces is not None:
            user, net = len(wanted), len(wanted) + 1
            wanted += [(namespaces[0], user), (namespaces[1], net)]
            target = ["--netns-type=path", f"--userns-path=/proc/self/fd/{user}", f"/proc/self/fd/{net}"]
        # Sources are moved above all targets first: a dup2 must not hit the next one's source.
        actions = [(os.POSIX_SPAWN_DUP2, source, 100 + target) for source, target in wanted]
        actions += [(os.POSIX_SPAWN_DUP2, 100 + target, target) for _, target in wanted]
        doomed = [fd for fd in _inheritable() if fd >= len(wanted)] + [100 + target for _, target in wanted]
        closing = [(os.POSIX_SPAWN_CLOSE, fd) for fd in doomed]
        child = os.posix_spawn(
            path,
            _arguments(target, socket_path, options, protection),
            {key: os.environ[key] for key in _PASSED_ON if key in os.environ},
            file_actions=[*actions, *closing],
        )
    except OSError as error:
        for fd in opened:
            os.close(fd)
        raise RootlessError(f"cannot start {path}: {error.strerror}") from error
    for fd in opened:
        if fd not in (exit_w, ready_r, stderr_r):
            os.close(fd)
    return _Running(child, exit_w, ready_r, stderr_r)


def _inheritable() -> list[int]:
    """Descriptors that would leak into a child: the caller's shell may have left us some."""
    found = []
    for text in os.listdir("/proc/self/fd"):
        try:
            if os.get_inheritable(int(text)):
                found.append(int(text))
        except OSError:
            continue  # the one that listed the directory
    return found


def _last_words(running: _Running) -> str:
    """What a dying slirp4netns said, bounded; its end is near, since it closed the ready pipe."""
    poll = select.poll()
    poll.register(running.stderr_fd, select.POLLIN)
    text = b""
    while len(text) < 1 << 16 and poll.poll(1000):
        chunk = os.read(running.stderr_fd, 4096)
        if not chunk:
            break
        text += chunk
    return text.decode(errors="replace")


def _stop(running: _Running) -> None:
    """Kill and reap it, close our ends."""
    try:
        os.kill(running.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    try:
        os.waitpid(running.pid, 0)
    except ChildProcessError:
        pass
    os.close(running.exit_fd)
    os.close(running.stderr_fd)
