"""What systemd hands to the service it starts, handed on to the container.

sd_listen_fds(3): descriptors from 3 on, LISTEN_FDS, LISTEN_FDNAMES; in the container LISTEN_PID is
that of its command. They are the one exception to "no descriptor but 0-2 crosses". The monitor keeps
them open and hands them to the next start by a restart policy: connections wait meanwhile.
sd_notify(3): NOTIFY_SOCKET. --sdnotify=conmon (the default): we say READY=1 when the command has been
executed; container: its socket is mounted and the command says so itself; ignore: nobody does. Except
with `ignore`, and while a client stays attached, the monitor becomes the service's main process
(MAINPID), also after a restart by policy: the variable stays in the monitor's environment. Hot path.
"""

from __future__ import annotations

import os

from rootless.engine.state.config import ContainerConfig
from rootless.errors import NotSupported
from rootless.linux import socket
from rootless.record import TYPE_CHECKING, Record
from rootless.runtime.listen_fds import listen_environment, listen_fds

if TYPE_CHECKING:
    from typing import Any

SOCKET_IN_CONTAINER = "/run/notify/notify.sock"


class Handed(Record):
    """For one start: how many descriptors after stderr, and what the command's environment and mounts gain."""

    descriptors: int = 0
    env: tuple[str, ...] = ()
    mounts: tuple[dict[str, Any], ...] = ()


def handed(record: ContainerConfig) -> Handed:
    """What our own environment says; NotSupported for a socket that the container could not reach."""
    environ = os.environ
    if "LISTEN_FDS" not in environ and "NOTIFY_SOCKET" not in environ:
        return Handed()
    env: list[str] = []
    mounts: list[dict[str, Any]] = []
    if count := listen_fds():
        # With --init the command is the first child of PID 1.
        env = listen_environment(count, pid=2 if record["init"] else 1)
        if environ.get("LISTEN_FDNAMES"):
            env.append("LISTEN_FDNAMES=" + environ["LISTEN_FDNAMES"])
    address = environ.get("NOTIFY_SOCKET", "")
    if address and record.get("sdnotify") == "container":
        if address.startswith("@"):
            if record["network"]["mode"] != "host":
                raise NotSupported(
                    "--sdnotify=container: NOTIFY_SOCKET is an abstract socket, which only --network host can reach",
                    hint="use --sdnotify=conmon",
                )
            env.append("NOTIFY_SOCKET=" + address)
        else:
            env.append("NOTIFY_SOCKET=" + SOCKET_IN_CONTAINER)
            mounts.append(
                {
                    "destination": SOCKET_IN_CONTAINER,
                    "type": "bind",
                    "source": address,
                    "options": ["bind", "private"],
                }
            )
    return Handed(count, tuple(env), tuple(mounts))


def notify_started(record: ContainerConfig, monitor_pid: int, *, client: bool) -> None:
    """Send READY=1 to systemd, where it asked: the command has been executed. No error where nothing listens."""
    mode = record.get("sdnotify") or "conmon"
    if mode == "ignore" or "NOTIFY_SOCKET" not in os.environ:
        return
    lines = [] if client else [f"MAINPID={monitor_pid}"]
    if mode == "conmon":
        lines.append("READY=1")
    if lines:
        notify("\n".join(lines))


def notify(text: str) -> None:
    """sd_notify(3)."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as connection:
            connection.sendto(text.encode(), address)
    except OSError:
        pass  # the service manager listens no more
