"""Whether a container outlives its user's logout, and how it would.

systemd-logind ends the user's manager, and all in user@UID.service, when no session is left, unless
lingering is on (loginctl enable-linger); with KillUserProcesses=yes the processes of a session go
with its login (logind.conf(5)). Hot path.
"""

from __future__ import annotations

import os

from rootless import jsontext, paths
from rootless.record import TYPE_CHECKING
from rootless.storage.store import Store

if TYPE_CHECKING:
    from typing import Any

LINGER = "/var/lib/systemd/linger"
LOGIND = "/run/systemd/users"


def notice(store: Store, pid: int) -> tuple[str, str] | None:
    """The warning and the remedy for a container that is killed at logout; `pid` is its PID 1.

    None where it is not killed, or where the user was warned since the login.
    """
    if not os.path.isdir(LOGIND) or lingering():
        return None
    marker = store.runtime + "/told-lingering"
    if os.path.exists(marker) or not killed_at_logout(pid):
        return None
    try:
        os.close(os.open(marker, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError:
        pass
    return (
        f"lingering is off for {user_name()}: the container will be killed when you log out",
        f"let your processes outlive your login: loginctl enable-linger (where that is refused: sudo loginctl enable-linger {user_name()})",
    )


def lingering() -> bool:
    """Whether logind keeps the user's manager and processes after the last logout."""
    return os.path.exists(f"{LINGER}/{user_name()}")


def user_name() -> str:
    """The user's name, or number."""
    import pwd

    uid = paths.host_uid()
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def killed_at_logout(pid: int) -> bool:
    """Whether the place of the process in logind's tree means its end, lingering being off."""
    if f"/user@{paths.host_uid()}.service" in _place(pid):
        # The user's manager goes with the last session, and a session stays ("closing") while a process
        # is left in it: our holder, where a command of the login started it.
        return not _in_session(_holder_pid()) or kills_user_processes()
    return _in_session(pid) and kills_user_processes()


def _place(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/cgroup") as file:
            return file.read()
    except OSError:
        return ""


def _in_session(pid: int) -> bool:
    """Whether the process is in the scope of a login session."""
    return any("/session-" in line and line.endswith(".scope") for line in _place(pid).split("\n"))


def _holder_pid() -> int:
    from rootless.session import connection

    try:
        holder = connection.ask_holder(paths.runtime_dir())
    except (connection.NoHolder, OSError):
        return 0
    if holder.namespace_fd >= 0:
        os.close(holder.namespace_fd)
    return holder.holder_pid


def kills_user_processes() -> bool:
    """Whether logind ends this user's processes with their session: its KillUserProcesses, KillOnlyUsers and
    KillExcludeUsers, logind.conf(5). False where logind does not answer within two seconds."""
    import subprocess

    manager = ("org.freedesktop.login1", "/org/freedesktop/login1", "org.freedesktop.login1.Manager")
    properties = ("KillUserProcesses", "KillOnlyUsers", "KillExcludeUsers")
    options: dict[str, Any] = {"capture_output": True, "text": True, "timeout": 2, "check": False}
    try:
        done = subprocess.run(["busctl", "--json=short", "get-property", *manager, *properties], **options)
        kills, only, exclude = (jsontext.loads(line)["data"] for line in str(done.stdout).splitlines())
    except (OSError, subprocess.TimeoutExpired, ValueError):
        return False
    # As manager_shall_kill() of logind-user.c decides.
    name = user_name()
    return bool(kills) and name not in exclude and (not only or name in only)
