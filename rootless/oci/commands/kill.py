"""`kill`: send a signal to a container. Hot path."""

from __future__ import annotations

import os

from rootless.errors import Conflict, InvalidInput
from rootless.linux import signal
from rootless.linux.process import pidfd_open_checked
from rootless.linux.signals import signal_number
from rootless.oci import state
from rootless.oci.commands.flags import matching, root_of
from rootless.oci.container import processes
from rootless.record import TYPE_CHECKING

if TYPE_CHECKING:
    from rootless.oci.arguments import Arguments
    from rootless.oci.state import Container


def command(args: Arguments) -> int:
    """Send a signal; with --regex to all that run."""
    root, everyone = root_of(args), args.flag("--all")
    text = args.value("--signal") or (args.words[1] if len(args.words) > 1 else "TERM")
    if not args.flag("--regex"):
        container = state.find(root, args.words[0])
        return _kill(container, parse_signal(text), everyone=everyone)
    for container in matching(root, args.words[0]):
        try:
            _kill(container, parse_signal(text), everyone=everyone)
        except Conflict:
            continue  # it does not run
    return 0


def _kill(container: Container, number: int, *, everyone: bool) -> int:
    try:
        pidfd = pidfd_open_checked(container.pid, container.start_time)
    except ProcessLookupError:
        if everyone:
            processes.kill_all(container, number)
            return 0
        # The words containerd and Podman look for.
        raise Conflict(f"cannot kill container {container.id}: container not running") from None
    try:
        if everyone:
            processes.kill_all(container, number)
        signal.pidfd_send_signal(pidfd, number)
    except ProcessLookupError:
        if not everyone:
            raise Conflict(f"cannot kill container {container.id}: container not running") from None
    finally:
        os.close(pidfd)
    return 0


def parse_signal(text: str) -> int:
    """The number of "9", "KILL", "SIGKILL" or "RTMIN+3"; of 0 too, which only asks. InvalidInput."""
    try:
        return signal_number(text)
    except ValueError:
        raise InvalidInput(f"there is no signal {text}") from None
