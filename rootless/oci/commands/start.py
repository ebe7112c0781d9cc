"""`start`: let a created container's process go on. Hot path."""

from __future__ import annotations

import os

from rootless.errors import Conflict, RootlessError
from rootless.linux import socket
from rootless.oci import state
from rootless.oci.commands.flags import root_of
from rootless.oci.container.end import end, forget
from rootless.oci.container.wait_for_exec import wait_for_exec
from rootless.record import TYPE_CHECKING
from rootless.runtime.hooks import run_hooks
from rootless.runtime.process import sealed_exec
from rootless.runtime.sync import Channel

if TYPE_CHECKING:
    from rootless.oci.arguments import Arguments
    from rootless.oci.state import Container


begun = -1
"""The connection to an init that the launcher has told to start (helpers/oci/quick.c), and that did not run its command then, or -1."""


def command(args: Arguments) -> int:
    """Start the container; returns when its command has been executed."""
    root = root_of(args)
    if begun >= 0:
        os.set_inheritable(begun, False)
        return _report(Channel(socket.socket(fileno=begun)), state.find(root, args.words[0]))
    with state.Held(root, args.words[0]) as container:
        _demand(container, state.CREATED, "start")
        spec = container.config()
        client = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            state.connect(container.directory, client)
        except OSError:
            raise Conflict(f"cannot start {container.id}: its init does not wait any more") from None
        channel = Channel(client)
        channel.send("start")
        document = container.document(state.RUNNING)
        wait_for_exec(channel, spec, document)
        channel.close()
        os.unlink(os.path.join(container.directory, state.SOCKET))
        try:
            # Their failure ends the container (runtime.md, Lifecycle 9).
            run_hooks(spec, "poststart", document)
        except (OSError, RootlessError):
            end(container)
            forget(container, spec)
            raise
    return 0


def _report(channel: Channel, container: Container) -> int:
    """Raise the error of an init that was told to start, whose "executing" may have been read."""
    message = channel.receive("executing", "refused")
    if message is None:
        raise Conflict("the container's init has ended before it was started")
    if message.kind == "executing":
        message = channel.receive("refused")
    sealed_exec.raise_exec_error(message, container.config()["process"]["args"])
    os.unlink(os.path.join(container.directory, state.SOCKET))
    return 0


def _demand(container: Container, wanted: str, verb: str) -> None:
    found = container.status()
    if found == wanted:
        return
    why = {
        state.RUNNING: "it is running already",
        state.PAUSED: "it is paused",
        state.STOPPED: "it has stopped",
        state.CREATED: "it has not been started",
    }[found]
    raise Conflict(f"cannot {verb} container {container.id}: {why}")
