"""The hub of a RUNTIME whose holder died: kept by whoever of ours still has it.

The network helper has a thread in it, a container's monitor a descriptor of it. A hub has one network helper, whose socket is in
RUNTIME, so it is that RUNTIME's alone: both have that socket's path among their words or in their environment.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator

from rootless.linux import namespace
from rootless.session import session_file
from rootless.session.connection import NETD_SOCKET, NETD_VARIABLE


def find(user_namespace: int, runtime: str) -> int | None:
    """The network namespace that belongs to the session's user namespace and is kept by a process of ours in that, which
    serves containers of RUNTIME; a descriptor, the caller's to close.

    A container may live in the session's user namespace too, with a network namespace of the same owner, and take any name. But it
    has a mount namespace of its own.
    """
    session = namespace.identity(user_namespace)
    for entry in session_file.processes_of_ours():
        try:
            if namespace.identity(f"/proc/{entry}/ns/user") != session or not _serves(entry, runtime) or _is_in_container(entry):
                continue
            for path in _network_namespaces(entry):
                fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
                if _belongs_to(fd, session):
                    return fd
                os.close(fd)
        except OSError:  # it has gone
            continue
    return None


def _serves(entry: str, runtime: str) -> bool:
    socket = os.path.join(runtime, NETD_SOCKET).encode()
    for file, word in (("cmdline", socket), ("environ", f"{NETD_VARIABLE}=".encode() + socket)):
        with open(f"/proc/{entry}/{file}", "rb") as opened:
            if word in opened.read().split(b"\0"):
                return True
    return False


def _network_namespaces(entry: str) -> Iterator[str]:
    """What the process has descriptors of, and what its threads are in."""
    for number in os.listdir(f"/proc/{entry}/fd"):
        path = f"/proc/{entry}/fd/{number}"
        if os.readlink(path).startswith("net:["):
            yield path
    for thread in os.listdir(f"/proc/{entry}/task"):
        yield f"/proc/{entry}/task/{thread}/ns/net"


def _is_in_container(entry: str) -> bool:
    """Whether its mount namespace belongs to a user namespace below ours."""
    fd = os.open(f"/proc/{entry}/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
    try:
        return not _belongs_to(fd, namespace.identity("/proc/self/ns/user"), or_above=True)
    finally:
        os.close(fd)


def _belongs_to(fd: int, user_namespace: tuple[int, int], *, or_above: bool = False) -> bool:
    try:
        owner = namespace.owning_user_namespace(fd)
    except OSError as error:
        if error.errno == errno.EPERM:
            return or_above
        raise
    try:
        return namespace.identity(owner) == user_namespace
    finally:
        os.close(owner)
