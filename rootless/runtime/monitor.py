"""How the supervisor becomes the C monitor: its arguments, and the descriptors it inherits. Hot path."""

from __future__ import annotations

import os

from rootless import inherited, paths
from rootless.errors import RootlessError
from rootless.linux import socket
from rootless.linux.process import set_pdeathsig
from rootless.linux.socket import address_in
from rootless.record import TYPE_CHECKING, Record

if TYPE_CHECKING:
    from typing import Any, NoReturn

ATTACH_SOCKET = "attach"


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
    log_buffer: int = 0  # bytes for output that the log has not taken yet, more is dropped; 0: the container waits
    journal: int = -1  # a datagram socket connected to systemd's journal; then there are no log files
    journal_fields: int = -1  # a file: the fields of every entry there, as the journal's protocol has them
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
    netd: str = ""  # the socket of rootless-netd, whose end has `repair` executed
    repair: tuple[str, ...] = ()
    exec: bool = False  # the child is an exec process: its end is the event exec_die
    dies_with_parent: bool = False  # a kill of who launched it is its end, and its container's


class ContainerStreams(Record):
    """Both sides of the container's streams. -1: not there."""

    child: tuple[int, int, int] | None  # None: a terminal, made by the init
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


def listen(run_dir: str, name: str = ATTACH_SOCKET) -> socket.socket:
    """The attach socket in `run_dir`, or the one of that name; a stale one, of a container that ended, is replaced."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with address_in(run_dir, name) as address:
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
    attachers: tuple[int, ...] = ()  # more clients, which were there before the start
    cgroup: str = ""  # the container's; the monitor reports its OOM kills, empties and removes it
    ids: int = 0  # the child that answers for ids, which the container does not outlive


# The monitor's options and the kind of their values, in the order of docs/development/monitor.md; helpers/monitor/arguments.c
# has the same table.
FLAG, NUMBER, TEXT, TEXTS, DESCRIPTOR, DESCRIPTORS, HIDDEN = range(7)
OPTIONS = {
    "wait": NUMBER,
    "pid": NUMBER,
    "start-time": NUMBER,
    "dir": DESCRIPTOR,
    "fallback-dir": DESCRIPTOR,
    "no-sync": FLAG,
    "log": TEXT,
    "log-max-size": NUMBER,
    "log-max-file": NUMBER,
    "log-buffer": NUMBER,
    "journal": DESCRIPTOR,
    "journal-fields": DESCRIPTOR,
    "terminal": DESCRIPTOR,
    "stdin": DESCRIPTOR,
    "stdout": DESCRIPTOR,
    "stderr": DESCRIPTOR,
    "keep-stdin": FLAG,
    "socket": DESCRIPTOR,
    "client": DESCRIPTOR,
    "attacher": DESCRIPTORS,
    "attacher-to": NUMBER,
    "hold": DESCRIPTORS,  # those that follow one another are a run, a thousand of them two options
    "hold-to": NUMBER,
    "cgroup": TEXT,
    "events": DESCRIPTOR,
    "event": HIDDEN,  # it has the container's labels
    "health": TEXTS,
    "health-first": NUMBER,
    "health-interval": NUMBER,
    "health-start-interval": NUMBER,
    "health-timeout": NUMBER,
    "netd": TEXT,
    "repair": TEXTS,
    "timeout-ms": NUMBER,
    "cleanup-if": TEXT,
    "pass": NUMBER,
    "open-files": NUMBER,
    "ids": NUMBER,
    "exec": FLAG,
}


def arguments(values: dict[str, Any], command: tuple[str, ...] = ()) -> list[str]:
    """The monitor's argv: `values` by option, and the command that it executes at the end.

    An option is left out where its value is None, "", False, () or the descriptor -1. Descriptors become
    inheritable.
    """
    argv = [paths.helper("monitor")]
    for option, kind in OPTIONS.items():
        value = values.get(option)
        if value is None or value is False or value in ("", ()) or (kind == DESCRIPTOR and value < 0):
            continue
        if kind == FLAG:
            argv.append(f"--{option}")
            continue
        if kind == DESCRIPTORS:
            argv += _runs(option, value)
            continue
        for each in value if kind == TEXTS else (_file_of(value),) if kind == HIDDEN else (value,):
            if kind in (DESCRIPTOR, HIDDEN):
                os.set_inheritable(each, True)
            argv += (f"--{option}", str(each))
    return [*argv, "--", *command] if command else argv


def _file_of(text: str) -> int:
    """A file with the text, for arguments are everybody's on the machine to read (ps)."""
    fd = os.memfd_create("text", os.MFD_CLOEXEC)
    os.pwrite(fd, text.encode(errors="surrogateescape"), 0)
    return fd


def _runs(option: str, descriptors: tuple[int, ...]) -> list[str]:
    """The words for descriptors, which become inheritable: one option, or two for those that follow one another."""
    words: list[str] = []
    first = last = -2
    for fd in sorted(descriptors):
        os.set_inheritable(fd, True)
        if fd == last + 1:
            words = words if first == last else words[:-2]
            words += (f"--{option}-to", str(fd))
        else:
            words += (f"--{option}", str(fd))
            first = fd
        last = fd
    return words


def become_monitor(target: MonitorTarget, options: MonitorOptions) -> NoReturn:
    """Exec the C monitor in this process: same pid, same children. Raises RootlessError."""
    values: dict[str, Any] = {
        "pid": target.pid,
        "start-time": target.start_time,
        "dir": _directory(target.container_dir),
        "fallback-dir": _directory(target.run_dir),
        "no-sync": options.no_sync,
        "log-buffer": options.log_buffer or None,
        "journal": options.journal,
        "journal-fields": options.journal_fields,
        "terminal": target.terminal,
        "stdin": target.streams.stdin,
        "stdout": target.streams.stdout,
        "stderr": target.streams.stderr,
        "keep-stdin": options.keep_stdin,
        "socket": target.socket,
        "client": target.client,
        "attacher": target.attachers,
        "hold": target.hold,
        "cgroup": target.cgroup,
        "netd": options.netd,
        "repair": options.repair,
        "timeout-ms": options.timeout_ms or None,
        "cleanup-if": options.cleanup_if,
        "pass": options.pass_fds or None,
        "ids": target.ids or None,
        "exec": options.exec,
        # The monitor needs descriptors of its own as long as it lives; what it executes at the end, and what that
        # starts again, has the caller's limit as the first start had.
        "open-files": inherited.descriptors[0] if inherited.descriptors else None,
    }
    if options.log_name is not None:
        values |= {
            "log": options.log_name, "log-max-size": options.log_max_size, "log-max-file": options.log_max_files,
        }  # fmt: skip
    if options.events_dir:
        # What only the monitor sees, it writes into the log of events itself.
        values |= {"events": _directory(options.events_dir), "event": options.event}
    if timer := options.health:
        values |= {
            "health": timer.argv, "health-first": timer.first_ms, "health-interval": timer.interval_ms,
            "health-start-interval": timer.start_interval_ms, "health-timeout": timer.timeout_ms,
        }  # fmt: skip
    if options.pass_fds:
        for fd in range(3, 3 + options.pass_fds):
            os.set_inheritable(fd, True)
        os.environ["LISTEN_PID"] = str(os.getpid())  # of the clean-up, too: it is this process
    _execute(arguments(values, options.cleanup), dies_with_parent=options.dies_with_parent)


def become_exec_monitor(pid: int, events_dir: str, event: str) -> NoReturn:
    """Exec the C monitor as the parent of a detached exec process, `pid`: it writes how that ended into the log of
    events, with `event` as the fixed part of the line. Raises RootlessError."""
    _execute(arguments({"pid": pid, "events": _directory(events_dir), "event": event, "exec": True}))


def _directory(path: str) -> int:
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)


def _execute(argv: list[str], *, dies_with_parent: bool = False) -> NoReturn:
    inherited.leave_streams()
    if not dies_with_parent:
        # The launch is complete: from now on the container outlives the command that started it.
        set_pdeathsig(0)
    try:
        os.execv(argv[0], argv)
    except OSError as error:
        raise RootlessError(f"cannot run {argv[0]}: {error.strerror}") from None
