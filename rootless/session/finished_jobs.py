"""Runtime directories of batch jobs that are over: no process of ours was there to remove them, since a job ends with all of its own.

Removed when another job's session starts. A directory in which a container has its sockets is in use. So is one in which a session answers,
as long as its job has another process on this machine: some batch systems (Slurm with proctrack/linuxproc or pgid) leave processes behind
that have left the job's, and each of their jobs would leave a holder for ever. It ends when its socket's file goes.
"""

from __future__ import annotations

import fcntl
import glob
import os
import shutil
import socket
import stat
import time

from rootless import paths
from rootless.linux.socket import address_in
from rootless.session.connection import SOCKET_NAME

LOCK_NAME = "session.lock"
_CONTAINERS = "c"
_YOUNG_S = 600  # a job that has just begun may have made its directory, and be about to lock it


def sweep(runtime: str) -> None:
    """Remove those beside the job's own `runtime`; nothing for a session of no job. What cannot be removed is left.

    The caller holds the lock of `runtime`."""
    name, mark, _ = os.path.basename(runtime).partition(paths.JOB)
    if not mark:
        return
    parent = os.path.dirname(runtime)
    for entry in os.listdir(parent):
        if entry.startswith(name + mark) and entry != os.path.basename(runtime):
            _remove_unused(f"{parent}/{entry}", entry.removeprefix(name + mark))


def _remove_unused(directory: str, job: str) -> None:
    try:
        # Without O_CREAT: in /tmp the name may be anybody's, and a link.
        top = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return
    try:
        about = os.fstat(top)
        if about.st_uid != os.getuid() or stat.S_IMODE(about.st_mode) != 0o700:
            return
        young = time.time() - about.st_mtime < _YOUNG_S
        lock = os.open(LOCK_NAME, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=top)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            users = _in_use(directory)
            if (not users and not young) or (users == [f"{directory}/{SOCKET_NAME}"] and not _lives(job)):
                shutil.rmtree(directory)
        finally:
            os.close(lock)
    except OSError:
        return  # somebody starts a session there just now, or it is no RUNTIME: it is left
    finally:
        os.close(top)


def _lives(job: str) -> bool:
    """Whether a process of ours has the job's variable. The holder's own environment cannot be read, nor can a monitor's."""
    for entry in os.listdir("/proc"):
        if not entry.isdecimal():
            continue
        try:
            with open(f"/proc/{entry}/environ", "rb") as file:
                words = file.read().decode(errors="surrogateescape").split("\0")
        except OSError:
            continue  # another user's, or it has ended
        if paths.job({word.partition("=")[0]: word.partition("=")[2] for word in words}) == job:
            return True
    return False


def _in_use(directory: str) -> list[str]:
    """The sockets there that somebody still has: the session's holder, a container's monitor, a service."""
    found = []
    for place in (directory, *sorted(glob.glob(f"{glob.escape(directory)}/{_CONTAINERS}/*"))):
        for name in os.listdir(place):
            if stat.S_ISSOCK(os.lstat(f"{place}/{name}").st_mode) and _answers(place, name):
                found.append(f"{place}/{name}")
    return found


def _answers(place: str, name: str) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client, address_in(place, name) as address:
        client.setblocking(False)
        try:
            client.connect(address)
        except ConnectionRefusedError:
            return False  # nobody has it; one of another type than we ask for is another error
        except OSError:
            pass
    return True
