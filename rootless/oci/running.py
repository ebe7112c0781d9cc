"""`create` and `run`. HOT."""

from __future__ import annotations

import os

from rootless.errors import InvalidInput, RootlessError
from rootless.linux import signal
from rootless.oci.cgroup import manager
from rootless.oci.config.bundle import load
from rootless.oci.container.create import CreatedContainer, create
from rootless.oci.container.init_config import CreateRequest
from rootless.oci.container.new_state import NewStateDirectory
from rootless.oci.container.wait_for_exec import wait_for_exec
from rootless.oci.hooks import run_hooks
from rootless.oci.log import LOG
from rootless.oci.state import RUNNING, STOPPED, default_root, open_root, remove
from rootless.record import TYPE_CHECKING
from rootless.runtime import child
from rootless.runtime.listen_fds import listen_environment, listen_fds

if TYPE_CHECKING:
    from typing import Any

    from rootless.oci.arguments import Arguments


def root_of(args: Arguments) -> str:
    """--root, or the default."""
    return open_root(args.value("--root") or default_root())


def preserved(args: Arguments) -> int:
    """How many descriptors after stderr are the container's: --preserve-fds and $LISTEN_FDS."""
    count = args.number("--preserve-fds")
    count += listen_fds(demand_pid=False)
    for fd in range(3, 3 + count):
        try:
            os.fstat(fd)
        except OSError:
            raise InvalidInput(f"--preserve-fds: descriptor {fd} is not open") from None
        os.set_inheritable(fd, True)
    return count


def pass_listen_fds(process: dict[str, Any]) -> None:
    """Socket activation (sd_listen_fds(3)) goes on to the container's process."""
    if count := listen_fds(demand_pid=False):
        process.setdefault("env", [])
        process["env"] += listen_environment(count, pid=1)


def pass_notify_socket(spec: dict[str, Any]) -> None:
    """sd_notify(3): the container tells systemd itself, or whoever waits at $NOTIFY_SOCKET, that it is ready:
    the socket is bound into it, at the place it has here. A configuration that names one has its own (Podman's)."""
    path = os.environ.get("NOTIFY_SOCKET", "")
    if any(word.startswith("NOTIFY_SOCKET=") for word in spec["process"].get("env") or []):
        return
    if path.startswith("/"):
        bind = {"destination": path, "type": "bind", "source": path, "options": ["bind", "nosuid", "noexec", "nodev"]}
        if not os.path.exists(path):
            LOG.warn(f"NOTIFY_SOCKET: there is no {path}")
            return
        spec["mounts"] = [*(spec.get("mounts") or []), bind]
    elif not path.startswith("@"):  # one without a file needs the network namespace it is in
        return
    spec["process"]["env"] = [*(spec["process"].get("env") or []), f"NOTIFY_SOCKET={path}"]


def _request(args: Arguments, *, detach: bool, waits: bool) -> CreateRequest:
    count = preserved(args)
    bundle = load(args.value("--bundle") or ".", _config(args))
    pass_listen_fds(bundle.spec["process"])
    pass_notify_socket(bundle.spec)
    return CreateRequest(
        id=args.words[0],
        root=root_of(args),
        bundle=bundle,
        console_socket=args.value("--console-socket"),
        preserve_fds=count,
        pivot=not args.flag("--no-pivot"),
        keyring=not args.flag("--no-new-keyring"),
        detach=detach,
        waits=waits,
        pid_file=args.value("--pid-file"),
        create_cgroup=manager.manager_for(manager_of(args)),
    )


def _config(args: Arguments) -> str | None:
    given = args.value("--config")
    if given is None or given.startswith("/"):
        return given
    return os.path.join(args.value("--bundle") or ".", given)


def manager_of(args: Arguments) -> str:
    """--cgroup-manager, or systemd by --systemd-cgroup."""
    if args.flag("--systemd-cgroup"):
        return "systemd"
    return manager.check_mode(args.value("--cgroup-manager") or "")


def create_command(args: Arguments) -> int:
    request = _request(args, detach=True, waits=True)
    with NewStateDirectory(request.root, request.id) as new_state:
        create(request, new_state).channel.close()
    return 0


def run_command(args: Arguments) -> int:
    detach = args.flag("--detach")
    request = _request(args, detach=detach, waits=False)
    with NewStateDirectory(request.root, request.id) as new_state:
        created = create(request, new_state)
        if not detach:
            # Before the start, so that no signal is lost.
            Forwarder().to(created.pidfd)
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
    return exit_code(status)


def exit_code(status: int) -> int:
    """What a shell shows for the wait status of what has ended: 128+n for a signal."""
    return os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status)


def warn_hooks(spec: dict[str, Any], point: str, state: dict[str, Any]) -> None:
    """Run hooks whose failure is told and changes nothing (runtime.md, Lifecycle 13)."""
    try:
        run_hooks(spec, point, state)
    except (OSError, RootlessError) as error:
        LOG.warn(str(error))


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


class Forwarder:
    """Hands the signals we get on to a process."""

    def __init__(self) -> None:
        self._pidfd = -1

    def to(self, pidfd: int) -> None:
        """Forward to the process of `pidfd`, which stays open, from now on."""
        for number in (
            signal.SIGTERM,
            signal.SIGINT,
            signal.SIGHUP,
            signal.SIGQUIT,
            signal.SIGUSR1,
            signal.SIGUSR2,
        ):
            signal.signal(number, self._handle)
        self._pidfd = pidfd

    def _handle(self, number: int, _frame: object) -> None:
        try:
            signal.pidfd_send_signal(self._pidfd, number)
        except ProcessLookupError:
            pass
