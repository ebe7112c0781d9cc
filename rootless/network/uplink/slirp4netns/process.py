"""The slirp4netns process: spawned with exactly the descriptors it needs, stopped, its last messages read."""

from __future__ import annotations

import os
import select

from rootless.errors import RootlessError, hint_for
from rootless.linux.socket import is_address
from rootless.record import TYPE_CHECKING, Record

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rootless.network.uplink.slirp4netns.options import SlirpOptions

API_SOCKET_NAME = "slirp.sock"
INTERFACE = "tap0"

_SIGKILL = 9
_PASSED_ON = ("PATH", "LD_LIBRARY_PATH", "HOME")


class Job(Record):
    """What to start it for: a process and, where its /proc/PID/ns is closed to us, descriptors of
    its user and network namespace (-1: by pid); or a network namespace of our own user namespace, by its descriptor alone."""

    program: str
    pid: int
    user_fd: int
    network_fd: int
    run_dir: str  # of the API socket; "": none is needed
    options: SlirpOptions


class SlirpProcess(Record):
    """The process and our ends of its pipes: it ends when the last copy of `exit_fd` is closed."""

    pid: int
    exit_fd: int
    ready_fd: int
    stderr_fd: int


def spawn(job: Job, protection: Sequence[str]) -> SlirpProcess:
    """Start it: 0-2 as usual, 3 the exit pipe, 4 the ready pipe, and nothing else of ours.

    Save the namespaces, if they come as descriptors, and the directory of an API socket whose path
    is too long for unix(7).
    """
    opened: list[int] = []
    try:
        for _ in range(3):
            opened += os.pipe()
        # Its stderr has no reader while ports are published, a line for each: it must not block on that.
        os.set_blocking(opened[5], False)
        null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
        opened.append(null)
        exit_r, exit_w, ready_r, ready_w, stderr_r, stderr_w = opened[:6]
        sources = [null, null, stderr_w, exit_r, ready_w]
        socket_path = os.path.join(job.run_dir, API_SOCKET_NAME) if job.run_dir else ""
        if not is_address(socket_path):
            opened.append(os.open(job.run_dir, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC))
            socket_path = f"/proc/self/fd/{len(sources)}/{API_SOCKET_NAME}"
            sources.append(opened[-1])
        target = ["--netns-type=pid", str(job.pid)]
        if job.network_fd >= 0:
            target = ["--netns-type=path", f"/proc/self/fd/{len(sources)}"]
            sources.append(job.network_fd)
            if job.user_fd >= 0:
                target.insert(1, f"--userns-path=/proc/self/fd/{len(sources)}")
                sources.append(job.user_fd)
        keep_to_ourselves()
        child = os.posix_spawn(
            job.program,
            [*_arguments(job.options, socket_path, protection), *target, INTERFACE],
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


def file_actions(sources: list[int]) -> list[tuple[int, ...]]:
    """Source N becomes descriptor N of the child; what is not close-on-exec stays open beside them."""
    # Moved above all targets and sources first: a dup2 must not hit the next one's source. Not to any
    # number that is high enough for sure: it would be beyond a low RLIMIT_NOFILE.
    base = max(*sources, len(sources)) + 1
    moved = [(os.POSIX_SPAWN_DUP2, source, base + number) for number, source in enumerate(sources)]
    placed = [(os.POSIX_SPAWN_DUP2, base + number, number) for number in range(len(sources))]
    return [*moved, *placed, *((os.POSIX_SPAWN_CLOSE, base + number) for number in range(len(sources)))]


def _arguments(options: SlirpOptions, socket_path: str, protection: Sequence[str]) -> list[str]:
    argv = [
        "slirp4netns",
        "--configure",
        f"--mtu={options.mtu}",
        f"--cidr={options.cidr}",
        *([f"--api-socket={socket_path}"] if socket_path else []),
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
    return argv


def keep_to_ourselves() -> None:
    """Have what the caller's shell may have left us close at an exec. In the child it could not be closed:
    posix_spawn takes no number beyond RLIMIT_NOFILE, and what was opened before that was lowered has one."""
    for text in os.listdir("/proc/self/fd"):
        try:
            if int(text) > 2:
                os.set_inheritable(int(text), False)
        except OSError:
            continue  # the one that listed the directory


def last_words(running: SlirpProcess) -> str:
    """The stderr of a slirp4netns that is about to end, since it closed the ready pipe; bounded."""
    poll = select.poll()
    poll.register(running.stderr_fd, select.POLLIN)
    text = b""
    while len(text) < 1 << 16 and poll.poll(1000):
        chunk = os.read(running.stderr_fd, 4096)
        if not chunk:
            break
        text += chunk
    return text.decode(errors="replace")


def stop(running: SlirpProcess) -> None:
    """Kill and reap it, close our ends of the exit pipe and of its stderr."""
    try:
        os.kill(running.pid, _SIGKILL)
    except ProcessLookupError:
        pass
    try:
        os.waitpid(running.pid, 0)
    except ChildProcessError:
        pass
    os.close(running.exit_fd)
    os.close(running.stderr_fd)
