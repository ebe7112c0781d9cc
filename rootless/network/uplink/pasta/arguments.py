"""The pasta of a job: its command line, and our tether round it, which ends it with the container.

pasta has no pipe to end with, and leaves its caller where it may: rootless-tether (helpers/tether.c) is its parent.
"""

from __future__ import annotations

from rootless import paths
from rootless.network.uplink import program
from rootless.network.uplink.pasta.options import CONTAINER, CONTAINER6, DNS, GATEWAY, GATEWAY6
from rootless.network.uplink.program import EXIT_FD, FIRST_FD, READY_FD
from rootless.record import TYPE_CHECKING, Record

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rootless.network.ports import PortMapping
    from rootless.network.uplink.pasta.options import PastaOptions
    from rootless.network.uplink.program import UplinkProcess

INTERFACE = "tap0"
_NETWORK, _USER = FIRST_FD, FIRST_FD + 1  # descriptors of the tether's


class Job(Record):
    """What to start it for: descriptors of a user and a network namespace, the ports with numbers of the host's."""

    program: str
    user_fd: int
    network_fd: int
    ports: Sequence[PortMapping]
    options: PastaOptions
    ipv6: bool


def spawn(job: Job, *, old: bool) -> UplinkProcess:
    """Start the tether with it, which is ready when pasta writes its pid. old: it is from before August 2024, and needs other
    words."""
    tether = paths.helper("tether")
    words = ["rootless-tether", "--hold", str(EXIT_FD), "--user", str(_USER), "--", *_arguments(job, old=old)]
    return program.spawn(tether, words, [job.network_fd, job.user_fd])


def _arguments(job: Job, *, old: bool) -> list[str]:
    options = job.options
    argv = [job.program, "--foreground", "--quiet", "--config-net", f"--ns-ifname={INTERFACE}", f"--mtu={options.mtu}"]
    argv += ["--pid", f"@{READY_FD}", "--netns-only", "--netns", f"@{_NETWORK}", "--no-netns-quit"]
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
