"""How A becomes the C monitor: its arguments, and the descriptors it inherits. HOT."""

from __future__ import annotations

import os

from rootless import inherited, paths
from rootless.errors import RootlessError
from rootless.linux import socket
from rootless.linux.process import set_pdeathsig
from rootless.linux.socket import address_in
from rootless.record import TYPE_CHECKING, Record

if TYPE_CHECKING:
    from typing import NoReturn

ATTACH_SOCKET = "attach"
PASSED_MAX = 512  # helpers/monitor/process.h


class Stdio(Record):
    """The container's standard streams: a terminal (its size, 0 = unset), or pipes; without
    `open_stdin` its stdin is /dev/null."""

    terminal: bool = False
    open_stdin: bool = False
    rows: int = 0
    columns: int = 0


class HealthTimer(Record):
    """The command that checks the container's health once, and when: after the start, after a check, after
    one that ended with status 10 (it is still starting). One that takes longer than timeout_ms is killed."""

    argv: tuple[str, ...]
    first_ms: int
    interval_ms: int
    start_interval_ms: int
    timeout_ms: int


class MonitorOptions(Record):
    """What the monitor does: the log (None: no log; sizes in bytes, 0: no rotation), whether
    stdin outlives its client, the argv run when the container has ended, and whether exit.json
    need not reach the disk (--rm). `events_dir` is where events are logged ("": nowhere), `event` the
    end of this container's lines there."""

    log_name: str | None = None
    log_max_size: int = 0
    log_max_files: int = 0
    keep_stdin: bool = False
    cleanup: tuple[str, ...] = ()
    no_sync: bool = False
    events_dir: str = ""
    event: str = ""
    cleanup_if: str = ""  # the clean-up is run only if this file is in the container's directory then
    health: HealthTimer | None = None
    timeout_ms: int = 0  # so long after its start it is killed; 0: never
    pass_fds: int = 0  # descriptors after stderr that stay open for the clean-up: sd_listen_fds(3)
    dies_with_parent: bool = False  # a kill of who launched it is its end, and its container's


class ContainerStreams(Record):
    """Both sides of the container's streams. -1: not there."""

    child: tuple[int, int, int] | None  # None: a terminal, made by C
    stdin: int = -1
    stdout: int = -1
    stderr: int = -1


def make_streams(stdio: Stdio) -> ContainerStreams:
    """The pipes of a container without a terminal; the caller owns all ends."""
    if stdio.terminal:
        return ContainerStreams(None)
    if stdio.open_stdin:
        child_in, stdin = os.pipe()
    else:
        child_in, stdin = os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC), -1
    stdout, child_out = os.pipe()
    stderr, child_err = os.pipe()
    return ContainerStreams((child_in, child_out, child_err), stdin, stdout, stderr)


def listen(run_dir: str) -> socket.socket:
    """The attach socket in `run_dir`; a stale one, of a container that ended, is replaced."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with address_in(run_dir, ATTACH_SOCKET) as address:
        try:
            os.unlink(address)
        except FileNotFoundError:
            pass
        sock.bind(address)
        sock.listen(64)
    return sock


class MonitorTarget(Record):
    """What the monitor is to watch; descriptors -1 where there is none."""

    pid: int
    start_time: int
    container_dir: str
    run_dir: str
    socket: int
    client: int
    terminal: int
    streams: ContainerStreams
    hold: tuple[int, ...]
    cgroup: str = ""  # the container's; the monitor tells its OOM kills, empties and removes it


def listen_fds() -> int:
    """How many descriptors after stderr systemd, or a monitor that was this process, has handed to us:
    sd_listen_fds(3)."""
    environ = os.environ
    if environ.get("LISTEN_PID") != str(os.getpid()) or not environ.get("LISTEN_FDS", "").isdecimal():
        return 0
    return min(int(environ["LISTEN_FDS"]), PASSED_MAX)


def become_monitor(watched: MonitorTarget, supervision: MonitorOptions) -> NoReturn:
    """Exec the C monitor in this process: same pid, same children. Raises RootlessError."""
    program = paths.helper("monitor")
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
    argv = [program, "--pid", str(watched.pid), "--start-time", str(watched.start_time)]

    def pass_on(option: str, fd: int) -> None:
        if fd >= 0:
            os.set_inheritable(fd, True)
            argv.extend((option, str(fd)))

    pass_on("--dir", os.open(watched.container_dir, flags))
    pass_on("--fallback-dir", os.open(watched.run_dir, flags))
    pass_on("--socket", watched.socket)
    pass_on("--client", watched.client)
    pass_on("--terminal", watched.terminal)
    pass_on("--stdin", watched.streams.stdin)
    pass_on("--stdout", watched.streams.stdout)
    pass_on("--stderr", watched.streams.stderr)
    if watched.cgroup:
        argv += ["--cgroup", watched.cgroup]
    if supervision.events_dir:
        # What only the monitor sees, it writes into the log of events itself.
        pass_on("--events", os.open(supervision.events_dir, flags))
        argv += ["--event", supervision.event]
    for fd in watched.hold:
        pass_on("--hold", fd)
    if supervision.log_name is not None:
        argv += ["--log", supervision.log_name, "--log-max-size", str(supervision.log_max_size)]
        argv += ["--log-max-file", str(supervision.log_max_files)]
    if supervision.keep_stdin:
        argv.append("--keep-stdin")
    if supervision.no_sync:
        argv.append("--no-sync")
    if supervision.cleanup_if:
        argv += ["--cleanup-if", supervision.cleanup_if]
    if supervision.health:
        timer = supervision.health
        for word in timer.argv:
            argv += ["--health", word]
        argv += ["--health-first", str(timer.first_ms), "--health-interval", str(timer.interval_ms)]
        argv += ["--health-start-interval", str(timer.start_interval_ms)]
        argv += ["--health-timeout", str(timer.timeout_ms)]
    if supervision.timeout_ms:
        argv += ["--timeout-ms", str(supervision.timeout_ms)]
    if supervision.pass_fds:
        for fd in range(3, 3 + supervision.pass_fds):
            os.set_inheritable(fd, True)
        argv += ["--pass", str(supervision.pass_fds)]
        os.environ["LISTEN_PID"] = str(os.getpid())  # of the clean-up, too: it is this process
    if supervision.cleanup:
        argv += ["--", *supervision.cleanup]
    null = os.open("/dev/null", os.O_RDWR)
    for fd in range(3):
        os.dup2(null, fd)
    if null > 2:
        os.close(null)
    # What it executes at the end, and what that starts again, has the caller's limit as the first start had.
    inherited.give_descriptors_back()
    if not supervision.dies_with_parent:
        # The launch is complete: from now on the container outlives the command that started it.
        set_pdeathsig(0)
    try:
        os.execv(program, argv)
    except OSError as error:
        raise RootlessError(f"cannot run {program}: {error.strerror}") from None
