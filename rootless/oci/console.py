"""Terminals: handed to the caller's console socket, or relayed to our own terminal by `run`. Hot path."""

from __future__ import annotations

import os

from rootless.errors import InvalidInput, NotFound, RootlessError, Unavailable
from rootless.linux import socket
from rootless.linux.socket import address_in
from rootless.record import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

_TIMEOUT_S = 10


def send_terminal(path: str, master: int) -> None:
    """Send a terminal's master to the Unix socket `path` (SCM_RIGHTS), as runc does: its name as the data.
    Unavailable when it is not taken."""
    with connect(path) as client:
        try:
            socket.send_fds(client, [b"/dev/ptmx"], [master])
        except OSError as error:
            raise Unavailable(
                f"the console socket {path} did not take the terminal: {error.strerror}"
            ) from None


def connect(path: str) -> socket.socket:
    """A connection to the Unix stream socket `path`, the caller's; with a limit on waiting."""
    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    client.settimeout(_TIMEOUT_S)
    try:
        with address_in(*os.path.split(os.path.abspath(path))) as address:
            client.connect(address)
    except FileNotFoundError:
        client.close()
        raise NotFound(f"there is no console socket {path}") from None
    except ConnectionRefusedError:
        client.close()
        raise Unavailable(f"nobody listens at the socket {path}") from None
    except OSError as error:
        client.close()
        raise RootlessError(f"cannot connect to {path}: {error.strerror or error}") from None
    except BaseException:
        client.close()
        raise
    return client


def own_size(process: dict[str, Any], path: str | None) -> dict[str, int]:
    """The size of our own terminal, as process.consoleSize has it, where the container's is relayed to it."""
    if not process.get("terminal") or path:
        return {}
    from rootless.linux.terminal import window_size

    try:
        rows, columns = window_size(0)
    except OSError:
        return {}  # our stdin is no terminal
    return {"height": rows, "width": columns}


def check(path: str | None, *, terminal: bool, detach: bool) -> None:
    """Refuse what cannot work: a terminal that no process would hold, or a socket without a terminal."""
    if terminal and detach and not path:
        raise InvalidInput(
            "process.terminal is set, and nobody would hold the terminal",
            hint="--console-socket names the Unix socket that takes it",
        )
    if path and not terminal:
        raise InvalidInput("--console-socket was given, but process.terminal is not set")
