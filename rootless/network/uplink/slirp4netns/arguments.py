"""The slirp4netns of a job: its command line, and the descriptors that go with it."""

from __future__ import annotations

import os

from rootless.errors import RootlessError, hint_for
from rootless.linux.socket import is_address
from rootless.network.uplink import program
from rootless.network.uplink.program import EXIT_FD, FIRST_FD, READY_FD
from rootless.record import TYPE_CHECKING, Record

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rootless.network.uplink.program import UplinkProcess
    from rootless.network.uplink.slirp4netns.options import SlirpOptions

API_SOCKET_NAME = "slirp.sock"
INTERFACE = "tap0"


class Job(Record):
    """What to start it for: a process and, where its /proc/PID/ns is closed to us, descriptors of
    its user and network namespace (-1: by pid); or a network namespace of our own user namespace, by its descriptor alone."""

    program: str
    pid: int
    user_fd: int
    network_fd: int
    run_dir: str  # of the API socket; "": none is needed
    options: SlirpOptions


def spawn(job: Job, protection: Sequence[str]) -> UplinkProcess:
    """Start it with, in descriptors, the namespaces if they come so, and the directory of an API socket whose path is too long
    for unix(7)."""
    directory = -1
    descriptors: list[int] = []
    socket_path = os.path.join(job.run_dir, API_SOCKET_NAME) if job.run_dir else ""
    try:
        if not is_address(socket_path):
            directory = os.open(job.run_dir, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            socket_path = f"/proc/self/fd/{FIRST_FD}/{API_SOCKET_NAME}"
            descriptors.append(directory)
    except OSError as error:
        raise RootlessError(f"cannot start {job.program}: {error.strerror}", hint=hint_for(error)) from error
    target = ["--netns-type=pid", str(job.pid)]
    if job.network_fd >= 0:
        target = ["--netns-type=path", f"/proc/self/fd/{FIRST_FD + len(descriptors)}"]
        descriptors.append(job.network_fd)
        if job.user_fd >= 0:
            target.insert(1, f"--userns-path=/proc/self/fd/{FIRST_FD + len(descriptors)}")
            descriptors.append(job.user_fd)
    try:
        return program.spawn(
            job.program, [*_arguments(job.options, socket_path, protection), *target, INTERFACE], descriptors
        )
    finally:
        if directory >= 0:
            os.close(directory)


def _arguments(options: SlirpOptions, socket_path: str, protection: Sequence[str]) -> list[str]:
    argv = [
        "slirp4netns",
        "--configure",
        f"--mtu={options.mtu}",
        f"--cidr={options.cidr}",
        *([f"--api-socket={socket_path}"] if socket_path else []),
        f"--exit-fd={EXIT_FD}",
        f"--ready-fd={READY_FD}",
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
    return argv
