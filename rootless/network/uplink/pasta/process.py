"""The pasta process: its command line, and our tether round it, which ends it with the container.

pasta has no pipe to end with, and leaves its caller where it may: rootless-tether (helpers/tether.c) is its parent.
"""

from __future__ import annotations

import os

from rootless import paths
from rootless.errors import RootlessError, hint_for
from rootless.network.uplink.pasta.options import CONTAINER, CONTAINER6, DNS, GATEWAY, GATEWAY6
from rootless.network.uplink.slirp4netns.process import SlirpProcess, file_actions, keep_to_ourselves
from rootless.record import TYPE_CHECKING, Record

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rootless.network.ports import PortMapping
    from rootless.network.uplink.pasta.options import PastaOptions

INTERFACE = "tap0"
_HOLD, _READY, _NETWORK, _USER = 3, 4, 5, 6  # descriptors of the tether's
_PASSED_ON = ("PATH", "LD_LIBRARY_PATH", "HOME")


class Job(Record):
    """What to start it for: descriptors of a user and a network namespace, the ports with numbers of the host's."""

    program: str
    user_fd: int
    network_fd: int
    ports: Sequence[PortMapping]
    options: PastaOptions
    ipv6: bool


def spawn(job: Job, *, old: bool) -> SlirpProcess:
    """Start the tether with it; its pid, and our ends of its pipes. The tether ends with the last copy of `exit_fd`.

    Ready: pasta writes its pid. old: it is from before August 2024, and needs other words.
    """
    opened: list[int] = []
    try:
        for _ in range(3):
            opened += os.pipe()
        os.set_blocking(opened[5], False)
        null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
        opened.append(null)
        exit_r, exit_w, ready_r, ready_w, stderr_r, stderr_w = opened[:6]
        sources = [null, null, stderr_w, exit_r, ready_w, job.network_fd, job.user_fd]
        keep_to_ourselves()
        tether = paths.helper("tether")
        child = os.posix_spawn(
            tether,
            ["rootless-tether", "--hold", str(_HOLD), "--user", str(_USER), "--", *_arguments(job, old=old)],
            {key: os.environ[key] for key in _PASSED_ON if key in os.environ},
            file_actions=file_actions(sources),
        )
    except OSError as error:
        for fd in opened:
            os.close(fd)
        raise RootlessError(f"cannot start {job.program}: {error.strerror}", hint=hint_for(error)) from error
    for fd in opened:
        if fd not in (exit_w, ready_r, stderr_r):
            os.close(fd)
    return SlirpProcess(child, exit_w, ready_r, stderr_r)


def _arguments(job: Job, *, old: bool) -> list[str]:
    options = job.options
    argv = [job.program, "--foreground", "--quiet", "--config-net", f"--ns-ifname={INTERFACE}", f"--mtu={options.mtu}"]
    argv += ["--pid", f"@{_READY}", "--netns-only", "--netns", f"@{_NETWORK}", "--no-netns-quit"]
    argv += [f"--address={CONTAINER}", "--netmask=255.255.255.0", f"--gateway={GATEWAY}", f"--dns-forward={DNS}"]
    if job.ipv6 and not options.ipv4_only:
        argv += [f"--address={CONTAINER6}", f"--gateway={GATEWAY6}"]
    else:
        argv.append("--ipv4-only")
    if old:
        argv += ["--stderr", *([] if options.map_gateway else ["--no-map-gw"])]
    else:
        argv.append(f"--map-host-loopback={GATEWAY if options.map_gateway else 'none'}")
    if options.interface:
        argv.append(f"--interface={options.interface}")
    if options.outbound:
        argv.append(f"--outbound={options.outbound}")
    # Nothing of the host's but what was asked for; what is not named here would be found out by pasta.
    argv += ["--tcp-ns=none", "--udp-ns=none"]
    for protocol in ("tcp", "udp"):
        words = [_port(mapping) for mapping in job.ports if mapping.protocol == protocol]
        argv += [f"--{protocol}-ports={word}" for word in words or ["none"]]
    return argv


def _port(mapping: PortMapping) -> str:
    return f"{mapping.host_ip or '0.0.0.0'}/{mapping.host_port}:{mapping.container_port}"


def stop(running: SlirpProcess) -> None:
    """End the tether, and pasta with it; reap it, close our ends of its pipes."""
    os.close(running.exit_fd)
    os.close(running.stderr_fd)
    try:
        os.waitpid(running.pid, 0)
    except ChildProcessError:
        pass
