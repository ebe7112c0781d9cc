"""The messages of a started init, until it has executed the container's command. Hot path."""

from __future__ import annotations

import os

from rootless import jsontext
from rootless.errors import Conflict
from rootless.linux import socket
from rootless.oci import console
from rootless.record import TYPE_CHECKING
from rootless.runtime.process import sealed_exec
from rootless.runtime.sync import Channel

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def send_to_listener(spec: dict[str, Any], state: dict[str, Any]) -> Callable[[int, int], None]:
    """Returns what sends the descriptor of a notifying filter, with the state, to linux.seccomp.listenerPath
    (config-linux.md, The Container Process State)."""

    def send(pid: int, fd: int) -> None:
        profile = spec["linux"]["seccomp"]
        document = {
            "ociVersion": spec["ociVersion"],
            "fds": ["seccompFd"],
            "pid": pid,
            "metadata": profile.get("listenerMetadata", ""),
            "state": state,
        }
        with console.connect(profile["listenerPath"]) as client:
            socket.send_fds(client, [jsontext.dumps(document).encode()], [fd])

    return send


def wait_for_exec(channel: Channel, spec: dict[str, Any], state: dict[str, Any]) -> None:
    """Read the messages of a started init until it has executed the command; raises its error."""
    message = channel.receive("executing")
    if message is None:
        raise Conflict("the container's init has ended before it was started")
    notifies = bool(((spec.get("linux") or {}).get("seccomp") or {}).get("listenerPath"))
    message = channel.receive("seccomp", "refused") if notifies else channel.receive("refused")
    if message is not None and message.kind == "seccomp":
        listener = sealed_exec.listener_of(message)
        try:
            send_to_listener(spec, state)(int(state["pid"]), listener)
        finally:
            os.close(listener)
        message = channel.receive("refused")
    sealed_exec.raise_exec_error(message, spec["process"]["args"])
