"""`start`, `state`, `kill` and `delete`. HOT."""

from __future__ import annotations

import os
import select

from rootless import jsontext
from rootless.errors import Conflict, InvalidInput, NotFound, RootlessError
from rootless.linux import signal, socket
from rootless.linux.process import pidfd_open_checked
from rootless.linux.signals import signal_number
from rootless.oci import state
from rootless.oci.cgroup import cgroup
from rootless.oci.container import processes
from rootless.oci.container.wait_for_exec import wait_for_exec
from rootless.oci.hooks import run_hooks
from rootless.oci.running import root_of, warn_hooks
from rootless.record import TYPE_CHECKING
from rootless.runtime.sync import Channel

if TYPE_CHECKING:
    from typing import Any

    from rootless.oci.arguments import Arguments
    from rootless.oci.state import Container

_KILL_TIMEOUT_S = 10


def start(args: Arguments) -> int:
    """Let a created container's process go on; returns when its command has been executed."""
    root = root_of(args)
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
            _forget(container, spec)
            raise
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


def show_state(args: Arguments) -> int:
    """Print the state as JSON."""
    container = state.find(root_of(args), args.words[0])
    document = container.document()
    document.setdefault("pid", 0)
    document["rootfs"] = container.rootfs
    document["created"] = container.created
    document["owner"] = ""
    print(jsontext.dumps(document))
    return 0


def _matching(root: str, pattern: str) -> list[Container]:
    """The containers whose id the regular expression finds something in."""
    import re

    try:
        expression = re.compile(pattern)
    except re.error as error:
        raise InvalidInput(f"--regex: {pattern!r} is not a regular expression: {error}") from None
    return [container for container in state.all_containers(root) if expression.search(container.id)]


def kill(args: Arguments) -> int:
    """Send a signal; with --regex to all that run."""
    root, everyone = root_of(args), args.flag("--all")
    text = args.value("--signal") or (args.words[1] if len(args.words) > 1 else "TERM")
    if not args.flag("--regex"):
        container = state.find(root, args.words[0])
        return _kill(container, parse_signal(text), everyone=everyone)
    for container in _matching(root, args.words[0]):
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


def delete(args: Arguments) -> int:
    """Remove what is left of a stopped container; with --force end it first."""
    root = root_of(args)
    force = args.flag("--force")
    if args.flag("--regex"):
        for found in _matching(root, args.words[0]):
            with state.Held(root, found.id) as container:
                _delete(container, force=force)
        return 0
    try:
        with state.Held(root, args.words[0]) as container:
            _delete(container, force=force)
    except NotFound:
        # A directory without a record is what a killed create left.
        if not force:
            raise
        if state.check_id(args.words[0]):
            state.all_containers(root)
    return 0


def _delete(container: Container, *, force: bool) -> None:
    found = container.status()
    if found in (state.RUNNING, state.PAUSED) and not force:
        raise Conflict(
            f"cannot delete container {container.id} that is not stopped: it is {found}",
            hint="`rootless-oci kill` it, or use --force",
        )
    if found != state.STOPPED:
        end(container)
    try:
        spec = container.config()
    except (OSError, ValueError):
        spec = {}
    _forget(container, spec)


def _forget(container: Container, spec: dict[str, Any]) -> None:
    """Remove what is left of a container whose init has ended."""
    cgroup.remove(container.cgroup, container.unit)
    state.remove(container.directory)
    warn_hooks(spec, "poststop", container.document(state.STOPPED))


def end(container: Container) -> None:
    """SIGKILL to all of the container, and wait for its init to be dead."""
    if container.cgroup:
        from rootless.cgroup import cgroupfs

        cgroupfs.kill(container.cgroup)
    try:
        pidfd = pidfd_open_checked(container.pid, container.start_time)
    except ProcessLookupError:
        return
    try:
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        poll = select.poll()
        poll.register(pidfd, select.POLLIN)
        if not poll.poll(_KILL_TIMEOUT_S * 1000):
            raise RootlessError(
                f"container {container.id} does not end: its process {container.pid} is stuck"
            )
    except ProcessLookupError:
        pass
    finally:
        os.close(pidfd)


COMMANDS = {"start": start, "state": show_state, "kill": kill, "delete": delete}
