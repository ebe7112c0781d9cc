"""The session's holder, forked: the namespace made, probed and given to the C program.

    starter                             child                           holder
    fork ─────────────────────────────▶ unshare user namespace
    newuidmap, newgidmap ◀───────────── "unshared"
    "go" ─────────────────────────────▶ fork ─────────────────────────▶ setsid, listen, exec
                                        exit

What fails in the child comes back as (step, errno); the end of the pipe is success.
"""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import socket
from typing import NoReturn

from rootless import inherited
from rootless.errors import NotSupported, RootlessError
from rootless.linux import namespace, process, struct
from rootless.session.ids import mapping
from rootless.session.ids.mapping import IdMapping

_BACKLOG = 1024
_LISTEN_FD = 3
_REPORT_FD = 4

_REPORT = struct.Struct("=ci")  # step, errno
_UNSHARED = b"U"
_NO_CAPABILITIES = b"C"
_NO_EXEC = b"X"


def fork_holder(
    program: str, listener: int, path: str, planned: IdMapping, *, existing: int | None, hub: int | None
) -> None:
    """Leave a holder behind that listens on `listener`, a socket bound at `path`.new (still the caller's).

    It is in the user namespace `existing`, a descriptor, or in a new one mapped as `planned`; and in the hub
    `hub`, a network namespace of `existing`, or it makes one.
    NotSupported with a hint where the host refuses, RootlessError where `program` cannot run.
    """
    report, report_end = os.pipe()
    go_end, go = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(go)  # so that the starter's death is an end of file
        command = [program, "--listen", str(_LISTEN_FD), "--socket", path]
        _child(command, listener, report_end, go_end, existing, hub)
    try:
        os.close(report_end)
        os.close(go_end)
        step, code = _next_report(report)
        if step == _UNSHARED and code == 0:
            if existing is None:
                mapping.write(pid, planned)
            os.write(go, b"g")
            step, code = _next_report(report)
    finally:
        os.close(go)
        os.close(report)
        os.waitpid(pid, 0)
    if step:
        raise _explained(step, OSError(code, os.strerror(code)), program)


def _next_report(report: int) -> tuple[bytes, int]:
    """The child's next (step, errno); (b"", 0) at the end, which is success."""
    message = os.read(report, _REPORT.size)
    if not message:
        return b"", 0
    step, code = _REPORT.unpack(message)
    return step, code


def _explained(step: bytes, error: OSError, program: str) -> RootlessError:
    from rootless.session import diagnosis

    if step == _NO_EXEC:
        return RootlessError(f"cannot run {program}: {error.strerror}")
    if step == _NO_CAPABILITIES:
        return NotSupported(
            f"user namespaces have no rights on this host: {error.strerror}",
            hint=diagnosis.user_namespace_hint(error),
        )
    return NotSupported(
        f"this host does not let you make a user namespace: {error.strerror}",
        hint=diagnosis.user_namespace_hint(error),
    )


def _child(
    command: list[str], listener: int, report: int, go: int, existing: int | None, hub: int | None
) -> NoReturn:
    """In the fork: become the namespace's root and start the holder. Never returns."""
    step = _UNSHARED
    try:
        if existing is None:
            namespace.unshare(namespace.CLONE_NEWUSER)
        else:
            namespace.setns(existing, namespace.CLONE_NEWUSER)
        os.write(report, _REPORT.pack(_UNSHARED, 0))
        if os.read(go, 1) == b"g":
            step = _NO_CAPABILITIES
            _probe_capabilities()
            if hub is not None:
                namespace.setns(hub, namespace.CLONE_NEWNET)
            step = _NO_EXEC
            # Forked again: the holder must be nobody's child, least of all a command's zombie.
            if os.fork() == 0:
                _exec_holder(command, listener, report)
    except OSError as error:
        os.write(report, _REPORT.pack(step, error.errno or errno.EIO))
    finally:
        os._exit(0)


def _probe_capabilities() -> None:
    """AppArmor (Ubuntu) lets a namespace be made and then denies every capability in it."""
    pid = os.fork()
    if pid == 0:
        code = 0
        try:
            namespace.unshare(namespace.CLONE_NEWUTS)
        except OSError as error:
            code = error.errno or errno.EPERM
        finally:
            os._exit(code)
    _, status = os.waitpid(pid, 0)
    code = os.waitstatus_to_exitcode(status)
    if code:
        raise OSError(abs(code), os.strerror(abs(code)))


def _exec_holder(command: list[str], listener: int, report: int) -> None:
    os.setsid()
    os.chdir("/")
    for number in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT):  # Python's ways are not the holder's
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    # Out of the way first: either may be one of the numbers it has to get out of.
    listener = fcntl.fcntl(listener, fcntl.F_DUPFD_CLOEXEC, 10)
    report = fcntl.fcntl(report, fcntl.F_DUPFD_CLOEXEC, 10)
    inherited.leave_streams()
    os.dup2(listener, _LISTEN_FD)
    os.dup2(report, _REPORT_FD, inheritable=False)
    # listen(2) notes the caller as the socket's peer: that is how others learn the holder's pid.
    # Before our copy of the lock closes: if the starter was killed, the next one must find us
    # listening, or it would start another holder and leave this one behind for good.
    with socket.socket(fileno=os.dup(_LISTEN_FD)) as listening:
        listening.listen(_BACKLOG)
    process.close_range(_REPORT_FD + 1, 0xFFFFFFFF)
    os.execve(command[0], command, {})
