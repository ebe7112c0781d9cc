"""`run`: create and start a container, and wait for it. Hot path."""

from __future__ import annotations

import os

from rootless.errors import RootlessError
from rootless.oci.commands.create import create_request
from rootless.oci.container.create import CreatedContainer, create
from rootless.oci.container.forward_signals import forward_signals
from rootless.oci.container.new_state import NewStateDirectory
from rootless.oci.container.wait_for_exec import wait_for_exec
from rootless.oci.hooks import warn_hooks
from rootless.oci.state import RUNNING, STOPPED, remove
from rootless.record import TYPE_CHECKING
from rootless.runtime import child
from rootless.runtime.hooks import run_hooks

if TYPE_CHECKING:
    from rootless.oci.arguments import Arguments


def command(args: Arguments) -> int:
    """Run the container; returns its exit status, or 0 with --detach."""
    detach = args.flag("--detach")
    request = create_request(args, detach=detach, waits=False)
    with NewStateDirectory(request.root, request.id) as new_state:
        created = create(request, new_state)
        if not detach:
            # Before the start, so that no signal is lost.
            forward_signals(created.pidfd)
        try:
            created.channel.send("start")
            state = {**created.state, "status": RUNNING, "pid": created.pid}
            wait_for_exec(created.channel, request.bundle.spec, state)
        except (OSError, RootlessError):
            try:
                created.cgroup.demand_memory()
            finally:
                _end(created, new_state.directory)
            raise
        created.channel.close()
        try:
            # Their failure ends the container (runtime.md, Lifecycle 9).
            run_hooks(request.bundle.spec, "poststart", state)
        except (OSError, RootlessError):
            _end(created, new_state.directory)
            warn_hooks(request.bundle.spec, "poststop", {**state, "status": STOPPED})
            raise
    if detach:
        return 0
    status = _wait(created)
    if not args.flag("--keep"):
        _end(created, new_state.directory)
        warn_hooks(request.bundle.spec, "poststop", {**state, "status": STOPPED})
    return child.exit_code(status)


def _end(created: CreatedContainer, directory: str) -> None:
    child.end(created.pidfd)
    if os.path.exists(os.path.join(directory, "state.json")):
        created.cgroup.remove()
        remove(directory)


def _wait(created: CreatedContainer) -> int:
    """The init's wait status; signals go to it meanwhile, and its terminal is relayed to ours."""
    if created.terminal >= 0:
        from rootless.oci.terminal_relay import relay

        return relay(created.terminal, created.pid, created.pidfd)
    return child.wait(created.pid, created.pidfd)
