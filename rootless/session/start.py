"""Start, replace and stop the session's holder, so that any party may be killed at any moment.

    flock session.lock
    socket bound to session.sock.new
    fork_holder (holder.py)
    ask session.sock.new, record
    rename it to session.sock

Killed before the rename, the starter leaves a socket under the other name: dead, it is unlinked
by the next starter; alive, it is adopted. A dead holder's socket refuses connections, and the
next starter looks for a process that still lives in the recorded namespace, and starts the new
holder in there, and in the hub that a process of ours still keeps for this RUNTIME (surviving_hub.py).

A user has one namespace, whatever RUNTIME is: where $XDG_RUNTIME_DIR is another one than before, or what was
in it is gone, the namespace is found by way of its holder or any monitor, and gets a holder for the new place, with a hub of its own.
"""

from __future__ import annotations

import fcntl
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rootless import paths
from rootless.errors import RootlessError
from rootless.linux.socket import address_in
from rootless.session import finished_jobs, session_file, surviving_hub
from rootless.session.connection import (
    RECORD_NAME,
    SOCKET_NAME,
    NoHolder,
    ask_holder,
    namespace_from_holder,
)
from rootless.session.holder import fork_holder
from rootless.session.ids import idmap, mapping
from rootless.session.ids.mapping import IdMapping

_NEW_NAME = SOCKET_NAME + ".new"
_START_TIMEOUT_S = 30  # it makes a network namespace first: seconds, while the kernel clears many others away


@contextmanager
def _locked(runtime: str) -> Iterator[None]:
    fd = os.open(os.path.join(runtime, finished_jobs.LOCK_NAME), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def start(runtime: str) -> int:
    """Make sure that a holder runs; the session's namespace as a descriptor, the caller's to close.

    Called outside of the session. Errors: NotSupported with a hint.
    """
    with _locked(runtime):
        silent_pid = 0
        try:
            return namespace_from_holder(runtime)  # another process was faster
        except NoHolder as error:
            silent_pid = error.holder_pid
        try:
            left_behind = ask_holder(runtime, _NEW_NAME)
        except NoHolder:
            pass
        else:
            _publish(runtime, left_behind.namespace_fd, mapping.plan(os.getuid(), os.getgid()))
            return left_behind.namespace_fd
        known = session_file.read(runtime)
        planned = mapping.plan(os.getuid(), os.getgid())
        # A holder or a monitor first: they are ours. The kernel uses the number of a namespace that has ended again, so
        # the recorded one may be Podman's by now, with the same owner and the same map.
        living = session_file.living_namespace(planned)
        if living is None:
            living = session_file.surviving_namespace(known)
            planned = planned if living is None or known is None else known.mapping
        try:
            if known is not None and living is not None:
                session_file.kill_if_in_namespace(silent_pid, known.inode)
            if paths.JOB in os.path.basename(runtime):
                finished_jobs.sweep(runtime)
            return _start_holder(runtime, planned, existing=living)
        finally:
            if living is not None:
                os.close(living)


def refresh(runtime: str) -> bool:
    """Compare the running session with /etc/subuid and /etc/subgid, which have been touched.

    Ranges that were added: a new session replaces the holder (running containers keep their own
    namespaces); True. Ranges that were changed or taken away: one warning, and nothing is done,
    since what is stored belongs to the old ids.
    """
    with _locked(runtime):
        known = session_file.read(runtime)
        try:
            connection = ask_holder(runtime)
        except NoHolder:
            return False
        os.close(connection.namespace_fd)
        if known is None:
            return False
        now = mapping.plan(os.getuid(), os.getgid())
        before = known.mapping
        if now.uid == before.uid and now.gid == before.gid:
            os.utime(os.path.join(runtime, RECORD_NAME))
            return False
        if idmap.extends(now.uid, before.uid) and idmap.extends(now.gid, before.gid):
            os.close(_start_holder(runtime, now, existing=None))
            session_file.kill_if_in_namespace(connection.holder_pid, known.inode)
            return True
        os.utime(os.path.join(runtime, RECORD_NAME))
        _warn(
            "the subordinate ids in /etc/subuid or /etc/subgid are others than this session's",
            "containers and images on disk belong to the old ids: remove them (`rootless system "
            f"reset`), or put the old entries back; the session goes on until `kill {connection.holder_pid}`",
        )
        return False


def stop(runtime: str) -> bool:
    """End the session: its holders, for whatever RUNTIME they are; whether there was one. Nothing where
    a process lives in it: a container of another ROOT, an `unshare` shell. Not from inside."""
    with _locked(runtime):
        try:
            namespace = namespace_from_holder(runtime)
        except NoHolder:
            return False
        inode = os.fstat(namespace).st_ino
        os.close(namespace)
        holders, others = session_file.inhabitants(inode)
        if others:
            return False
        for name in (SOCKET_NAME, RECORD_NAME):
            _unlink(os.path.join(runtime, name))
        for pid in holders:
            session_file.kill_if_in_namespace(pid, inode)
        return True


def _start_holder(runtime: str, planned: IdMapping, *, existing: int | None) -> int:
    program = paths.helper("holder")  # before anything is made
    _unlink(os.path.join(runtime, _NEW_NAME))
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        with address_in(runtime, _NEW_NAME) as address:
            listener.bind(address)
        hub = None if existing is None else surviving_hub.find(existing, runtime)
        try:
            path = os.path.join(runtime, SOCKET_NAME)
            fork_holder(program, listener.fileno(), path, planned, existing=existing, hub=hub)
        finally:
            if hub is not None:
                os.close(hub)
    try:
        fd = ask_holder(runtime, _NEW_NAME, timeout_s=_START_TIMEOUT_S).namespace_fd
    except NoHolder as error:
        raise RootlessError(
            f"the session's holder does not answer: {error}", hint=f"try {program} --help"
        ) from error
    _publish(runtime, fd, planned)
    return fd


def _publish(runtime: str, fd: int, planned: IdMapping) -> None:
    session_file.write(runtime, os.fstat(fd).st_ino, planned)
    os.rename(os.path.join(runtime, _NEW_NAME), os.path.join(runtime, SOCKET_NAME))
    if planned.single_id:
        _warn_of_single_id(planned)


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass


def _warn_of_single_id(planned: IdMapping) -> None:
    """Say once per reason and data root that the users of an image will not be real ones."""
    root = paths.data_root()
    marker = os.path.join(root, "single-id-told")
    try:
        with open(marker) as file:
            if file.read() == planned.reason:
                return
    except OSError:
        pass
    _warn(f"containers have one real user id, and emulate the others where they can (`rootless doctor`): {planned.reason}", planned.hint)
    try:
        os.makedirs(root, mode=0o700, exist_ok=True)
        with open(marker, "w") as file:
            file.write(planned.reason)
    except OSError:
        pass  # the warning comes again next time; nothing depends on it


def _warn(message: str, hint: str) -> None:
    sys.stderr.write(f"rootless: warning: {message}\n")
    for line in hint.splitlines():
        sys.stderr.write(f"  {line}\n")
