"""The client of rootless-netd (docs/development/netd.md), and what starts it: one for a user, at RUNTIME/netd.sock.

    flock netd.lock
    socket bound to netd.sock.new
    fork rootless-netd
    ask it for its status
    rename netd.sock.new to netd.sock

Killed at any line, the starter leaves a netd that has no container and ends by itself, and a dead socket that the next one
unlinks. A netd that ends answers nothing more, so whoever asked asks again, of a new one.

Called from inside the session, by a process of one thread.
"""

from __future__ import annotations

import errno
import fcntl
import os

from rootless import inherited, paths
from rootless.errors import RootlessError, Unavailable
from rootless.linux import process, signal, socket, struct
from rootless.linux.socket import address_in
from rootless.network.hub import scope
from rootless.record import TYPE_CHECKING, Record
from rootless.session.connection import NETD_SOCKET, NETD_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NoReturn

SOCKET_NAME = NETD_SOCKET
DESCRIPTORS_MAX = 250  # in one packet; the kernel's limit is 253

_NEW_NAME = SOCKET_NAME + ".new"
_LOCK_NAME = "netd.lock"
_TIMEOUT_S = 10
_ANSWER_MAX = 160 * 1024
_TRIES = 4
# A netd that is not there, or has ended before it answered.
_GONE = (errno.ENOENT, errno.ECONNREFUSED, errno.ECONNRESET, errno.EPIPE)


class Netd(Record):
    """What is needed to reach netd, and to start it."""

    runtime: str
    hub: int  # the hub's namespace, the caller's descriptor
    repair_hub: tuple[str, ...] = ()  # the command that makes a new uplink when that has ended
    resolv_conf: str = "/etc/resolv.conf"  # of the host, whose servers are asked what no container is called


class NoNetd(Exception):
    """None is there, or it has just ended."""


def ask(netd: Netd, request: str, descriptors: Sequence[int] = ()) -> list[str]:
    """Send one request to netd, started where none is there; the lines of its answer after "ok".

    The descriptors stay the caller's. RootlessError with netd's words; Unavailable where it does not start.
    """
    for _ in range(_TRIES):
        try:
            return ask_running(netd.runtime, request, descriptors)
        except NoNetd:
            _start(netd)
    raise Unavailable("rootless-netd ends as soon as it has started")


def ask_running(runtime: str, request: str, descriptors: Sequence[int] = (), *, name: str = SOCKET_NAME) -> list[str]:
    """Send one request to the netd that runs. NoNetd; else as ask()."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as client:
        # Kernel timeouts, not settimeout(): that one makes connect fail at once on a full backlog.
        limit = struct.pack("ll", _TIMEOUT_S, 0)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
        try:
            with address_in(runtime, name) as address:
                client.connect(address)
            socket.send_fds(client, [request.encode()], list(descriptors))
            answer = client.recv(_ANSWER_MAX).decode()
        except OSError as error:
            if error.errno in _GONE:
                raise NoNetd from error
            raise Unavailable(f"rootless-netd does not answer: {error.strerror}") from error
    if not answer:
        raise NoNetd
    if not answer.startswith("ok"):
        raise RootlessError(f"rootless-netd refuses: {answer.removeprefix('error ')}")
    return answer.split("\n")[1:]


def status(runtime: str) -> dict[str, str]:
    """What the netd that runs says of itself: version, pid, gate, uplink, containers, idle seconds. NoNetd."""
    return dict(line.split(" ", 1) for line in ask_running(runtime, "status"))


def _start(netd: Netd) -> None:
    """Make sure that one runs. Unavailable."""
    program = paths.helper("netd")  # before anything is made
    lock = os.open(os.path.join(netd.runtime, _LOCK_NAME), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            ask_running(netd.runtime, "status")
            return  # another process was faster
        except NoNetd:
            pass
        _spawn(netd, program)
        try:
            ask_running(netd.runtime, "status", name=_NEW_NAME)
        except NoNetd as error:
            raise Unavailable("rootless-netd does not start", hint=f"try {program}") from error
        os.rename(os.path.join(netd.runtime, _NEW_NAME), os.path.join(netd.runtime, SOCKET_NAME))
    finally:
        os.close(lock)


def _spawn(netd: Netd, program: str) -> None:
    """Leave a netd behind that listens at netd.sock.new, and is nobody's child."""
    try:
        os.unlink(os.path.join(netd.runtime, _NEW_NAME))
    except FileNotFoundError:
        pass
    report, report_end = os.pipe()
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        with address_in(netd.runtime, _NEW_NAME) as address:
            listener.bind(address)
        listener.listen(1024)
        pid = os.fork()
        if pid == 0:
            _child(netd, program, listener.fileno(), report_end)
    os.close(report_end)
    os.waitpid(pid, 0)
    failure = os.read(report, 16)
    os.close(report)
    if failure:
        raise Unavailable(f"cannot run {program}: {os.strerror(int(failure))}")


def _child(netd: Netd, program: str, listener: int, report: int) -> NoReturn:
    try:
        if os.fork() == 0:
            os.setsid()
            for each in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT):  # Python's ways are not netd's
                signal.signal(each, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_SETMASK, [])
            scope.move_out(os.getpid(), "netd")
            # Out of the way first: any may be one of the numbers they have to get.
            sources = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 10) for fd in (listener, netd.hub, report)]
            inherited.leave_streams()
            for number, fd in enumerate(sources, 3):
                os.dup2(fd, number, inheritable=number < 5)
            process.close_range(6, 0xFFFFFFFF)
            environment = {**os.environ, NETD_VARIABLE: os.path.join(netd.runtime, SOCKET_NAME)}
            words = [word for given in netd.repair_hub for word in ("--repair-hub", given)]
            os.execve(program, [program, "--listen", "3", "--hub", "4", "--resolv-conf", netd.resolv_conf, *words], environment)
    except OSError as error:
        os.write(report, str(error.errno or errno.EIO).encode())
    finally:
        os._exit(0)
