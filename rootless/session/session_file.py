"""RUNTIME/session.json: which namespace the session is, to find it again when its holder died."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from typing import NamedTuple

from rootless import atomic
from rootless.linux import namespace, process
from rootless.session.connection import RECORD_NAME
from rootless.session.ids import idmap
from rootless.session.ids.idmap import IdRange
from rootless.session.ids.mapping import IdMapping


class SavedSession(NamedTuple):
    boot_id: str
    inode: int  # of the user namespace, stat(2) of /proc/PID/ns/user
    mapping: IdMapping


def write(runtime: str, inode: int, mapping: IdMapping) -> None:
    """Write aside, rename. Not fsynced: it is worth nothing after a reboot."""
    value = {"boot_id": process.boot_id(), "inode": inode, "mapping": mapping._asdict()}
    atomic.write_json(os.path.join(runtime, RECORD_NAME), value, durable=False)


def read(runtime: str) -> SavedSession | None:
    """The record of this boot; None where there is none, or none that makes sense."""
    try:
        with open(os.path.join(runtime, RECORD_NAME)) as file:
            data = json.load(file)
        if data["boot_id"] != process.boot_id():
            return None
        fields = data["mapping"]
        fields["uid"] = [IdRange(*entry) for entry in fields["uid"]]
        fields["gid"] = [IdRange(*entry) for entry in fields["gid"]]
        return SavedSession(data["boot_id"], int(data["inode"]), IdMapping(**fields))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def surviving_namespace(known: SavedSession | None) -> int | None:
    """The recorded namespace by way of any process that lives in it; the caller's to close.

    The inode number alone could have been used again: owner and map must agree as well.
    """
    if known is None:
        return None
    for entry in os.listdir("/proc"):
        if not entry.isdecimal():
            continue
        try:
            path = f"/proc/{entry}/ns/user"
            if os.stat(path).st_ino != known.inode:
                continue
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:  # not ours to look at, or gone
            continue
        try:
            if (
                os.fstat(fd).st_ino == known.inode
                and namespace.owner_uid(fd) == os.getuid()
                and idmap.current_map("uid", entry) == known.mapping.uid
            ):
                return fd
        except OSError:
            pass
        os.close(fd)
    return None


# /proc/PID/comm of the processes of ours that live in a session's namespace: helpers/holder.c, monitor/monitor.c, netd/main.c, imagefs.c.
_HOLDER, _MONITOR, _NETD, _IMAGE = "rootless: sessi", "rootless-monito", "rootless: netwo", "rootless: image"
# What lives in it while containers do, each of which has a monitor, and is worth nothing without them.
_SERVING = (_HOLDER, _NETD, _IMAGE, "slirp4netns")


def _command(entry: str) -> str:
    try:
        with open(f"/proc/{entry}/comm", errors="replace") as file:
            return file.read().rstrip("\n")
    except OSError:
        return ""


def processes_of_ours() -> Iterator[str]:
    """Pids, as /proc spells them, of what has the name of one that lives in a session's namespace: anybody's to take."""
    for entry in os.listdir("/proc"):
        if entry.isdecimal() and _command(entry) in (_HOLDER, _MONITOR, _NETD):
            yield entry


def living_namespace(planned: IdMapping) -> int | None:
    """The user's session, for whatever RUNTIME it was started, as a descriptor; the caller's to close.

    By way of its holder, a monitor or the network helper. A name is anybody's to take: owner, parent and map must be
    right, so that neither another program's namespace nor one of a container's making is taken for it.
    """
    here = namespace.identity("/proc/self/ns/user")
    for entry in processes_of_ours():
        try:
            fd = os.open(f"/proc/{entry}/ns/user", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:  # another user's, or gone
            continue
        try:
            if namespace.owner_uid(fd) == os.getuid() and _is_below(fd, here) and (
                idmap.current_map("uid", entry) == planned.uid and idmap.current_map("gid", entry) == planned.gid
            ):  # fmt: skip
                return fd
        except OSError:
            pass
        os.close(fd)
    return None


def _is_below(fd: int, parent: tuple[int, int]) -> bool:
    above = namespace.parent(fd)
    try:
        return namespace.identity(above) == parent
    finally:
        os.close(above)


def _is_zombie(entry: str) -> bool:
    with open(f"/proc/{entry}/stat", "rb") as file:
        return file.read().rpartition(b") ")[2][:1] in (b"Z", b"X")


def inhabitants(inode: int) -> tuple[list[int], list[int]]:
    """Pids of those that end with the session, holders and what serves the hub, and of the others that live in it."""
    holders: list[int] = []
    others: list[int] = []
    for entry in os.listdir("/proc"):
        try:
            if entry.isdecimal() and os.stat(f"/proc/{entry}/ns/user").st_ino == inode and not _is_zombie(entry):
                (holders if _command(entry) in _SERVING else others).append(int(entry))
        except OSError:
            continue
    return holders, others


def kill_if_in_namespace(pid: int, inode: int) -> None:
    """SIGKILL `pid` if it lives in that user namespace: a number alone is nobody's name."""
    if pid <= 0:
        return
    try:
        pidfd = os.pidfd_open(pid)
    except OSError:
        return
    try:
        if os.stat(f"/proc/{pid}/ns/user").st_ino == inode:
            signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    except OSError:
        pass
    finally:
        os.close(pidfd)
