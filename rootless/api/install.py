"""The systemd user units of the service: a socket that is always there, a service that runs while it is used."""

from __future__ import annotations

import os
import subprocess

from rootless import atomic, paths
from rootless.engine.lifecycle.autostart import autostart
from rootless.errors import NotSupported
from rootless.storage.store import Store

SOCKET, SERVICE = "rootless.socket", "rootless.service"
IDLE_S = 60
"""Seconds without a request after which the service ends; the socket stays."""
_WRITTEN = "# Written by `rootless system service --install`."


def install(store: Store) -> list[str]:
    """Write both units, have the socket started at login and now; what was written. Idempotent: writing again is how
    they follow a new installation or ROOT. NotSupported on a host without systemd."""
    if not autostart.uses_systemd():
        raise NotSupported(
            "this host has no systemd that could listen for the service",
            hint="run it yourself: `rootless system service` in a terminal, or `@reboot` in your crontab",
        )
    directory = paths.config_home() + "/systemd/user"
    wants = f"{directory}/sockets.target.wants"
    os.makedirs(wants, exist_ok=True)
    atomic.write_bytes(f"{directory}/{SOCKET}", socket_unit().encode(), mode=0o644)
    atomic.write_bytes(f"{directory}/{SERVICE}", service_unit(store).encode(), mode=0o644)
    link = f"{wants}/{SOCKET}"
    if not os.path.islink(link):
        os.symlink(f"{directory}/{SOCKET}", link)
    _tell(["daemon-reload"])
    _tell(["restart", SOCKET])
    return [f"{directory}/{SOCKET}", f"{directory}/{SERVICE}"]


def socket_unit() -> str:
    """rootless.socket: where clients look for a user's Docker by themselves."""
    return (
        f"{_WRITTEN}\n[Unit]\nDescription=Docker Engine API (rootless)\n\n"
        "[Socket]\nListenStream=%t/docker.sock\nSocketMode=0600\nDirectoryMode=0700\n\n"
        "[Install]\nWantedBy=sockets.target\n"
    )


def service_unit(store: Store) -> str:
    """rootless.service. Containers are none of its own processes: they get scopes of their own, and where there are none
    (KillMode) they run on when it ends."""
    command = autostart.quoted([*paths.lasting_program(), "system", "service", "--time", str(IDLE_S)])
    environment = "".join(f"Environment={autostart.quoted([word])}\n" for word in autostart.environment(store))
    return (
        f"{_WRITTEN}\n[Unit]\nDescription=Docker Engine API (rootless)\nRequires={SOCKET}\nAfter={SOCKET}\n\n"
        f"[Service]\n{environment}Type=exec\nKillMode=process\nExecStart={command}\n"
    )


def _tell(words: list[str]) -> None:
    """Without a user manager that answers, the units are found when it starts next."""
    try:
        subprocess.run(["systemctl", "--user", *words], capture_output=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        pass
