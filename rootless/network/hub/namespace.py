"""The hub's namespace, asked for at the session's holder; the lock of those who change what all networks share."""

from __future__ import annotations

import fcntl
import os

from rootless import paths
from rootless.errors import NotSupported, Unavailable
from rootless.session import connection

_LOCK_NAME = "hub.lock"
RETRY = "it has ended just now; try again: the next command starts another one"


def open_hub(runtime: str = "") -> int:
    """The hub as a descriptor, the caller's to close: this RUNTIME's, or that of another one. From inside the session or outside.

    Inside, where no holder can be started, it is found without one, too: of a repair, a container's monitor has it.
    NotSupported with the reason where the host allows no network namespace; Unavailable where the holder has ended since the
    caller has joined: the host would give a network, so nothing else is taken for it.
    """
    runtime = runtime or paths.runtime_dir()
    try:
        hub, holder = connection.hub_from_holder(runtime)
    except connection.NoHolder as error:
        survivor = _surviving(runtime)
        if survivor is not None:
            return survivor
        raise Unavailable(f"the session's holder does not answer: {error}", hint=RETRY) from None
    if hub < 0:
        raise _no_hub(holder)
    return hub


def _surviving(runtime: str) -> int | None:
    from rootless.session import surviving_hub

    session = os.open("/proc/self/ns/user", os.O_RDONLY | os.O_CLOEXEC)
    try:
        return surviving_hub.find(session, runtime)
    finally:
        os.close(session)


LIMIT_FIX = "echo 'user.max_net_namespaces=10000' | sudo tee -a /etc/sysctl.d/60-rootless.conf && sudo sysctl --system"
"""The administrator's line where a host allows no network namespaces, or too few."""


def limit() -> int:
    """How many network namespaces the user namespace that we are in, and those below it, may have; -1: it does not say."""
    try:
        with open("/proc/sys/user/max_net_namespaces") as file:
            return int(file.read())
    except (OSError, ValueError):
        return -1


def _no_hub(holder: int) -> NotSupported:
    if limit() == 0:
        return NotSupported(
            "no network: this host allows no network namespaces: user.max_net_namespaces is 0",
            hint=f"an administrator allows them: {LIMIT_FIX}",
        )
    return NotSupported(
        "no network: the session has no network namespace for networks",
        hint=f"`kill {holder}`: the next command starts the session's holder again, and containers go on",
    )


def lock_path() -> str:
    """The file that is locked; to be asked for before a namespace is entered."""
    return os.path.join(paths.runtime_dir(), _LOCK_NAME)


class Locked:
    """A context in which the caller alone changes bridges, rules and the uplink."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._fd = -1

    def __enter__(self) -> Locked:
        self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._fd, fcntl.LOCK_EX)
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)
