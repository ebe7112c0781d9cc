"""The user's session: one long-lived user namespace that every command joins.

The fast path is one connection to the holder, one descriptor back, one setns(2). Everything
else (starting, diagnosing, stopping) is imported when needed.

What the holder's death means. Nothing for running containers: the kernel keeps a namespace as
long as processes are in it, and exec, stop and logs use pidfds and files. The next join finds
the old namespace again through any process that still lives in it (each container's monitor
does) and starts a new holder inside; only if no process is left does it make a new namespace,
with the same map, so that files keep their owners. Hot path.
"""

from __future__ import annotations

import errno
import os

from rootless import paths, user_config
from rootless.errors import NotSupported, RootlessError
from rootless.linux import namespace, process
from rootless.record import Record
from rootless.session.connection import (
    RECORD_NAME,
    SOCKET_NAME,
    Connection,
    NoHolder,
    ask_holder,
    namespace_from_holder,
)
from rootless.session.ids import idmap
from rootless.session.ids.idmap import IdRange


class Session(Record):
    """The session this process is in. Ids outside are those of the host (of the container, when
    this is a container in a container)."""

    uid_map: tuple[IdRange, ...]
    gid_map: tuple[IdRange, ...]
    single_id: bool


_joined: Session | None = None


def inside() -> bool:
    """Whether this process is in the session already, by join() or because its parent was."""
    return _joined is not None or paths.in_session()


def join() -> Session:
    """Put the calling process into the user's session, starting it when there is none.

    Idempotent. Afterwards the process is uid 0 and gid 0 with all capabilities in the session's
    user namespace; mounts, network and supplementary groups stay. $ROOTLESS_SESSION tells our
    own later programs (clean-up, `unshare` shells) where they are; pass the environment on.

    The process must have one thread (setns(2)): RuntimeError otherwise. NotSupported, with a hint
    for the user and for the administrator, where the host does not allow it.
    """
    global _joined
    if _joined is None:
        uid = paths.host_uid()  # remembered: os.getuid() will say 0
        _joined = _described(uid) if paths.in_session() else _join_from_outside(uid)
    return _joined


def _join_from_outside(uid: int) -> Session:
    if uid == 0 and idmap.is_initial(idmap.current_map("uid")):
        raise NotSupported(
            "rootless does not run as root",
            hint="run it as an ordinary user: `runuser -u NAME -- rootless ...` or `su - NAME`;\n"
            "a new account gets its subordinate ids by itself: `useradd -m NAME`",
        )
    runtime = paths.runtime_dir()
    try:
        fd = namespace_from_holder(runtime)
        if _ranges_may_have_changed(runtime):
            from rootless.session import start

            if start.refresh(runtime):
                os.close(fd)
                fd = namespace_from_holder(runtime)
    except NoHolder:
        from rootless.session import start

        fd = start.start(runtime)
    try:
        if user_config.may_name_stores():
            from rootless.session import outside

            outside.start()
        enter(fd, uid)
    finally:
        os.close(fd)
    return _described(uid)


def enter(fd: int, uid: int) -> None:
    """Join the user namespace `fd`, made by the host's user `uid`, as its root."""
    if namespace.owner_uid(fd) != uid:
        raise RootlessError("the session's namespace belongs to another user")
    home = paths.user_namespace()
    try:
        namespace.setns(fd, namespace.CLONE_NEWUSER)
    except OSError as error:
        if error.errno == errno.EINVAL and process.thread_count() > 1:
            raise RuntimeError(
                f"session.join() in a process with {process.thread_count()} threads: "
                "setns(2) of a user namespace needs a single one; join before starting threads"
            ) from error
        raise
    # Under newgrp(1) or sg(1) our group is none the session maps.
    if os.getgid() != 0:
        os.setresgid(0, 0, 0)
    os.environ[paths.SESSION_VARIABLE] = f"{uid}:{paths.user_namespace()}:{home}"


def _described(uid: int) -> Session:
    uid_map = tuple(idmap.current_map("uid"))
    gid_map = tuple(idmap.current_map("gid"))
    if not uid_map or uid_map[0][:2] != (0, uid) or os.getuid() != 0:
        raise RootlessError(
            f"the session's namespace does not map user {uid} to its root",
            hint=f"remove {os.path.join(paths.runtime_dir(), SOCKET_NAME)} and try again",
        )
    return Session(uid_map, gid_map, sum(part.size for part in uid_map) == 1)


def _ranges_may_have_changed(runtime: str) -> bool:
    """Whether /etc/subuid or /etc/subgid was touched after the session's record was written."""
    try:
        recorded = os.stat(os.path.join(runtime, RECORD_NAME)).st_mtime_ns
    except OSError:
        return False
    for path in ("/etc/subuid", "/etc/subgid"):
        try:
            # ctime, not mtime: a file copied into place with its old mtime counts too
            if os.stat(path).st_ctime_ns > recorded:
                return True
        except OSError:
            continue
    return False


class SessionStatus(Record):
    """What `doctor` and `info` say about the session; nothing is started for it."""

    running: bool
    holder_pid: int
    uid_map: tuple[IdRange, ...]
    gid_map: tuple[IdRange, ...]
    single_id: bool
    reason: str  # why it is a single id
    outdated: bool  # /etc/subuid or /etc/subgid grant something else by now


def status() -> SessionStatus:
    """The running session, or what one would be like if it were started now (running=False)."""
    from rootless.session import session_file
    from rootless.session.ids import mapping

    runtime = paths.runtime_dir()
    if inside():
        here = join()
        return SessionStatus(True, 0, here.uid_map, here.gid_map, here.single_id, "", False)
    planned = mapping.plan(os.getuid(), os.getgid())
    try:
        connection = ask_holder(runtime)
    except NoHolder:
        connection = Connection(-1, 0)
    known = session_file.read(runtime) if connection.holder_pid else None
    if connection.namespace_fd >= 0:
        os.close(connection.namespace_fd)
    shown = planned if known is None else known.mapping
    return SessionStatus(
        connection.holder_pid != 0,
        connection.holder_pid,
        tuple(shown.uid),
        tuple(shown.gid),
        shown.single_id,
        shown.reason,
        shown[:2] != planned[:2],
    )


def stop() -> bool:
    """End the session's holder; whether there was one. Running containers go on."""
    if inside():
        raise RuntimeError("session.stop() from inside the session")
    from rootless.session import start

    return start.stop(paths.runtime_dir())


def join_of(pid: int) -> Session:
    """Join the session that container process `pid` belongs to, which is not join()'s when the
    holder died and was replaced meanwhile: needed to share `pid`'s namespaces with a new container.

    The caller must not have joined yet. `pid` must be known to be alive (hold its pidfd).
    """
    global _joined
    if inside():
        return join()
    uid = paths.host_uid()
    paths.runtime_dir()
    here = namespace.identity("/proc/self/ns/user")
    found = os.open(f"/proc/{pid}/ns/user", os.O_RDONLY | os.O_CLOEXEC)
    try:
        # The one right below ours: a container lives in the session's itself, or one or two below it.
        while True:
            above = namespace.parent(found)
            if namespace.identity(above) == here:
                os.close(above)
                break
            os.close(found)
            found = above
        enter(found, uid)
    finally:
        os.close(found)
    _joined = _described(uid)
    return _joined
