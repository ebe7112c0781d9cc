"""Exec instances as Docker's API has them: made, started once, resized, looked at afterwards (state/exec_instances.py).

    exec_id = create(store, identifier, ExecConfig("", "", ["sh"], tty=True, stdin=True, stdout=True, stderr=True))
    connection = start(store, exec_id)          # or start(..., detach=True), which returns None
    attach.relay(connection, stdin=..., ...)    # Outcome: the exit code, or detached; then report_detached()
    resize(store, exec_id, rows, columns)       # another process's, before the start too: it waits for that
    inspect                                     # views/exec.py

The process's parent is a monitor of its own, which keeps its streams, serves its socket and writes its exit.json, whatever
becomes of who started it. The process ends with that monitor, as a container does with its own.
"""

from __future__ import annotations

import fcntl
import os
import select
import time

from rootless import atomic
from rootless.engine.lifecycle import exec as engine_exec
from rootless.engine.lifecycle.attach import attach
from rootless.engine.lifecycle.attach.attachment import watch
from rootless.engine.lifecycle.attach.terminal import parse_detach_keys
from rootless.engine.lifecycle.exec import ExecOptions, Execution
from rootless.engine.state import exec_instances as instances
from rootless.engine.state import running
from rootless.engine.state.config import ContainerConfig, read_config
from rootless.engine.state.events import events
from rootless.engine.state.exec_instances import ExecConfig
from rootless.errors import FAILURES, Conflict, InvalidInput, RootlessError
from rootless.linux import process, socket
from rootless.linux.inotify import IN_MOVED_TO
from rootless.record import TYPE_CHECKING
from rootless.runtime import exec as runtime_exec
from rootless.runtime import monitor, sync
from rootless.storage.store import Store

if TYPE_CHECKING:
    from typing import NoReturn

RESIZE_PATIENCE_S = 10.0
"""How long a resize waits for the start, as moby's."""
_LOOK_MS = 50  # between two looks, where the kernel does not tell


def create(store: Store, identifier: str, config: ExecConfig) -> str:
    """Make an instance for the container; its id. What `config` says of id and container does not count.

    Conflict where the container does not run, or is paused; InvalidInput without a command.
    """
    if not config.argv or not config.argv[0]:
        raise InvalidInput("No exec command specified")
    record = read_config(store, identifier)
    with running.require(store, identifier) as found:
        _refuse_paused(identifier, found)
    keys = parse_detach_keys(config.detach_keys).keys.decode("latin-1") if config.detach_keys else ""
    made = config._replace(id=os.urandom(32).hex(), container=identifier, keys=keys)
    instances.write(store, made)
    events.exec_instance(store, record, "exec_create", made.argv, made.id)
    return made.id


def _refuse_paused(identifier: str, found: running.RunningContainer) -> None:
    if found.state.get("paused"):
        raise Conflict(f"container {identifier} is paused, unpause the container before exec")


def start(
    store: Store, exec_id: str, *, detach: bool = False, rows: int = 0, columns: int = 0
) -> socket.socket | None:
    """Start the instance's process: a connection to its monitor that misses no byte (docs/development/monitor.md, Attach protocol),
    the caller's to close; with `detach` None. The process's stdin ends with this connection.

    rows and columns are the terminal's size where they are not 0, else what the instance was made with. NotFound;
    Conflict where it was started before, or its container does not run; CommandNotFound (127), CommandNotExecutable (126)
    where it cannot be, which is its exit code then.
    """
    config = instances.read(store, exec_id)
    record = read_config(store, config.container)
    if rows and columns:
        config = config._replace(rows=rows, columns=columns)
    path = instances.directory(store, config)
    lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)  # of two that start it at once, one does
        _refuse_again(store, config)
        with running.require(store, config.container) as found:
            _refuse_paused(config.container, found)
        return _start(store, record, config, path, attached=not detach)
    finally:
        os.close(lock)


def _refuse_again(store: Store, config: ExecConfig) -> None:
    state = instances.status(store, config).state
    if state != "created":
        word = "is already running" if state == "running" else "has already run"
        raise Conflict(f"exec command {config.id} {word}")


def _start(store: Store, record: ContainerConfig, config: ExecConfig, path: str, *, attached: bool) -> socket.socket | None:
    ours, theirs = sync.pair()
    pair = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET) if attached else None
    pid = os.fork()
    if pid == 0:
        ours.close()
        _become_parent(store, record, config, path, theirs, pair[1].fileno() if pair else -1)
    theirs.close()
    if pair:
        pair[1].close()
    try:
        ours.expect("executed")
    except RootlessError as error:
        os.waitpid(pid, 0)
        _note_failure(path, error)
        if pair:
            pair[0].close()
        raise
    finally:
        ours.close()
    return pair[0] if pair else None


def _note_failure(path: str, error: RootlessError) -> None:
    """It has run, as far as Docker is concerned, and ended with this."""
    if isinstance(error, Conflict) or instances.read_state(path) is not None:
        return  # the container has ended meanwhile; or the parent was killed, and the process with it
    code = error.exit_code if error.exit_code in (126, 127) else 126
    atomic.write_json(path + "/state.json", {"pid": 0, "exit_code": code, "error": error.message}, durable=False)


def _become_parent(
    store: Store, record: ContainerConfig, config: ExecConfig, path: str, to_caller: sync.Channel, client: int
) -> NoReturn:
    try:
        os.setsid()  # what is typed at the caller's terminal is none of its business
        listening = monitor.listen(path)
        kind = runtime_exec.TERMINAL if config.tty else runtime_exec.PIPES
        stdio = runtime_exec.ExecStdio(kind, config.stdin and client >= 0, config.rows, config.columns)
        entered = engine_exec.enter(store, record, _options(config), stdio, dies_with_parent=True)
        # It is our child and not reaped: its number is nobody else's.
        started = process.start_time(entered.pid)
        atomic.write_json(path + "/state.json", _state(entered.pid, started), durable=False)
        events.exec_instance(store, record, "exec_start", config.argv, config.id)
        to_caller.send("executed")
        streams = monitor.ContainerStreams(None, entered.stdin_fd, entered.stdout_fd, entered.stderr_fd)
        monitor.become_monitor(
            monitor.MonitorTarget(
                entered.pid, started, path, path, listening.fileno(), client, entered.terminal_fd, streams, ()
            ),
            monitor.MonitorOptions(
                exec=True, no_sync=True, events_dir=events.directory(store), event=events.tail_of_execution(record, config.id)
            ),
        )
    except FAILURES as error:
        to_caller.send_error(error, step="execute the command")
    finally:
        os._exit(125)


def _options(config: ExecConfig) -> ExecOptions:
    return ExecOptions(
        config.argv, config.env, config.workdir, config.user, config.tty, privileged=config.privileged
    )  # fmt: skip


def _state(pid: int, started: int) -> dict[str, int | str]:
    return {
        "pid": pid, "start_time": started, "boot_id": process.boot_id(),
        "pid_namespace": process.pid_namespace(), "monitor_pid": os.getpid(), "monitor_start_time": process.start_time(os.getpid()),
    }  # fmt: skip


def report_detached(store: Store, exec_id: str) -> None:
    """The event of a user who has left it alone by the detach keys."""
    config = instances.read(store, exec_id)
    engine_exec.report_detached(Execution(store, read_config(store, config.container), exec_id))


def resize(store: Store, exec_id: str, rows: int, columns: int, *, patience_s: float = RESIZE_PATIENCE_S) -> None:
    """Tell the process's terminal its size, in characters: it has it on return; one about to be started is waited for so long.

    NotFound; Conflict where its container does not run, where it has ended, or was not started in time.
    """
    config = instances.read(store, exec_id)
    running.require(store, config.container).close()
    path = instances.directory(store, config)
    if not _started(path, config.container, patience_s):
        raise Conflict("timeout waiting for exec session ready")
    over = Conflict(f"exec command {exec_id} is not running")
    if instances.status(store, config).state == "exited":
        raise over
    try:
        attach.resize(path, rows, columns)
    except Conflict:
        raise over from None
    events.container(
        store, "resize", read_config(store, config.container), height=str(rows), width=str(columns), execID=exec_id
    )


def _started(path: str, container: str, patience_s: float) -> bool:
    """Wait for the instance's state.json, so long at most."""
    if instances.read_state(path) is not None:
        return True
    deadline = time.monotonic() + patience_s
    inotify = watch(path, IN_MOVED_TO, container)
    poller = select.poll()
    try:
        if inotify is not None:
            poller.register(inotify.fileno(), select.POLLIN)
        while instances.read_state(path) is None:
            left_ms = (deadline - time.monotonic()) * 1000
            if left_ms <= 0:
                return False
            poller.poll(left_ms if inotify is not None else min(left_ms, _LOOK_MS))
            if inotify is not None:
                inotify.drain()
    finally:
        if inotify is not None:
            inotify.close()
    return True
