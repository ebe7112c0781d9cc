"""What a started init says, until it has executed the container's command. HOT."""

from __future__ import annotations

import os

from rootless import jsontext
from rootless.errors import Conflict
from rootless.linux import socket
from rootless.oci import console
from rootless.record import TYPE_CHECKING
from rootless.runtime.handover import executed
from rootless.runtime.wire import Channel

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def listener_of(spec: dict[str, Any], state: dict[str, Any]) -> Callable[[int, int], None]:
    """What to do with a notifying filter's descriptor: hand it, with the state, to
    linux.seccomp.listenerPath (config-linux.md, The Container Process State)."""

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


def follow(channel: Channel, spec: dict[str, Any], state: dict[str, Any]) -> None:
    """Read what a started init says until it has exec'd; raises its error."""
    message = channel.receive()
    if message is None:
        raise Conflict("the container's init has ended before it was started")
    while message is not None:
        if message.kind == "seccomp":
            try:
                listener_of(spec, state)(int(state["pid"]), message.fds[0])
            finally:
                os.close(message.fds[0])
        elif message.kind != "executing":
            executed(message, spec["process"]["args"])
        message = channel.receive()
