"""`exec`: one more process in a running container. No lock, no session, no database. Hot path."""

from __future__ import annotations

import os
import sys

from rootless.engine.lifecycle import process_spec
from rootless.engine.lifecycle.attach import attach
from rootless.engine.lifecycle.attach.exec_streams import ExecStreams
from rootless.engine.options.values import merge_env
from rootless.engine.state import running
from rootless.engine.state.config import ContainerConfig, read_config
from rootless.engine.state.events import events
from rootless.errors import FAILURES, CommandNotExecutable, CommandNotFound, Conflict, RootlessError
from rootless.linux import signal
from rootless.linux.capability import CAPABILITIES, last_cap
from rootless.linux.terminal import set_window_size
from rootless.record import TYPE_CHECKING, Record
from rootless.runtime import child, monitor, sync
from rootless.runtime import exec as runtime_exec
from rootless.runtime.exec import ExecProcess
from rootless.storage.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn

    from rootless.engine.lifecycle.attach.exec_streams import OnSignals


class ExecOptions(Record):
    """What a user asked `exec` for; empty words mean the container's own."""

    argv: list[str]
    env: list[str] = []
    workdir: str = ""
    user: str = ""
    tty: bool = False
    interactive: bool = False
    detach: bool = False
    privileged: bool = False
    rows: int = 0
    columns: int = 0
    passed_fds: tuple[int, ...] = ()


class Execution(Record):
    """An execution that the log of events knows by its `id`."""

    store: Store
    record: ContainerConfig
    id: str


def execute(store: Store, identifier: str, request: ExecOptions) -> tuple[ExecProcess, Execution]:
    """Start the process; the caller owns the descriptors. Conflict where the container does not run,
    CommandNotFound where it has no such command, CommandNotExecutable for whatever else keeps it from running."""
    record = read_config(store, identifier)
    entered = enter(store, record, request, _stdio(request))
    # Written while the process runs already: the log costs its start nothing.
    return entered, Execution(store, record, events.execution(store, record, request.argv))


def enter(
    store: Store,
    record: ContainerConfig,
    request: ExecOptions,
    stdio: runtime_exec.ExecStdio,
    *,
    dies_with_parent: bool = False,
    report: Callable[[runtime_exec.Entered], object] | None = None,
) -> ExecProcess:
    """Start the process, of which no event tells; as execute(). `report` as of runtime_exec.ExecRequest."""
    identifier = record["id"]
    if request.workdir and not request.workdir.startswith("/"):
        raise CommandNotExecutable(
            f"the working directory '{request.workdir}' is invalid, it needs to be an absolute path"
        )
    with running.require(store, identifier) as found:
        if found.state.get("paused"):
            raise Conflict(f"container {identifier} is paused, unpause the container before exec")
        configuration = _configuration(record, request)
        try:
            return runtime_exec.exec_in_container(
                runtime_exec.ExecRequest(
                    pid=found.pid,
                    start_time=found.start_time,
                    process=configuration,
                    stdio=stdio,
                    # Each of those who share it stays where the batch system has put it.
                    cgroup=runtime_exec.CgroupTarget() if record.get("shared") else _cgroup(found.state),
                    linux={"seccomp": process_spec.seccomp(_privileged(record, request))},
                    cache_dir=store.root + "/seccomp",
                    dies_with_parent=dies_with_parent,
                    passed_fds=request.passed_fds,
                    ids=str(found.state.get("ids") or ""),
                    run_dir=str(found.state.get("run_dir") or ""),
                    report=report,
                    late=lambda: _tell_what_is_silent(store, record),
                )
            )
        except (Conflict, CommandNotFound, CommandNotExecutable):
            raise
        except RootlessError as error:
            # As Docker: no such user, no such directory, no more processes, and 125 is `run`'s alone.
            raise CommandNotExecutable(error.message, hint=error.hint) from None


def _tell_what_is_silent(store: Store, record: ContainerConfig) -> None:
    """A line on stderr for a file system of the container's whose server does not answer: of its image, or one that is mounted."""
    from rootless.storage import file_servers
    from rootless.words import plain

    file = record.get("store_file")
    sources = (mount.get("source") or f"{store.volumes}/{mount.get('volume')}" for mount in record["mounts"])
    silent = file_servers.silent((file["path"] if file else store.home, *sources))
    if silent:
        sys.stderr.write(
            f"rootless: the command has not begun: the server of {plain(silent)}, which files of the container are on, does not answer\n"
            "hint: what needs no other file of the container than it has read already still runs; Ctrl-C ends the wait\n"
        )


def execute_detached(store: Store, identifier: str, request: ExecOptions) -> None:
    """Start a process that nobody waits for; errors as of execute().

    Its parent is a child of ours that becomes a monitor: it is there to write how the process ended into the
    log of events.
    """
    ours, theirs = sync.pair()
    pid = os.fork()
    if pid == 0:
        ours.close()
        _run_parent(store, identifier, request, theirs)
    theirs.close()
    try:
        ours.expect("executed")
    finally:
        ours.close()


def _run_parent(store: Store, identifier: str, request: ExecOptions, to_caller: sync.Channel) -> NoReturn:
    try:
        os.setsid()  # what is typed at the caller's terminal is none of its business
        entered, execution = execute(store, identifier, request)
        to_caller.send("executed")
        event = events.tail_of_execution(execution.record, execution.id)
        monitor.become_exec_monitor(entered.pid, events.directory(store), event)
    except FAILURES as error:
        to_caller.send_error(error, step="execute the command")
    finally:
        os._exit(125)


def _stdio(request: ExecOptions) -> runtime_exec.ExecStdio:
    kind = runtime_exec.TERMINAL if request.tty else runtime_exec.PIPES
    if request.detach:
        kind = runtime_exec.NULL
    return runtime_exec.ExecStdio(kind, request.interactive, request.rows, request.columns)


def _cgroup(state: dict[str, Any]) -> runtime_exec.CgroupTarget:
    """The container's; outside it where we may not move there, unless one of its limits is held there."""
    limits = (state.get("limits") or {}).values()
    return runtime_exec.CgroupTarget(
        str(state.get("cgroup") or ""),
        str(state.get("cgroup_unit") or ""),
        optional=not any(str(how).startswith("cgroup ") for how in limits),
    )


def report_end(execution: Execution, code: int) -> None:
    """The event of its end."""
    events.container(execution.store, "exec_die", execution.record, execID=execution.id, exitCode=str(code))


def report_detached(execution: Execution) -> None:
    """The event of a user who has left it alone."""
    events.container(execution.store, "exec_detach", execution.record, execID=execution.id)


def _privileged(record: ContainerConfig, request: ExecOptions) -> ContainerConfig:
    if not request.privileged:
        return record
    return {**record, "security": {**record["security"], "privileged": True, "no_new_privileges": False}}


def _configuration(record: ContainerConfig, request: ExecOptions) -> dict[str, Any]:
    record = _privileged(record, request)
    every = tuple(name for name, number in CAPABILITIES.items() if number <= last_cap())
    configuration = process_spec.process(record, every)
    configuration["args"] = request.argv
    configuration["terminal"] = request.tty
    environment = record["env"] + (["TERM=xterm"] if request.tty else [])
    configuration["env"] = merge_env(environment, request.env)
    configuration["cwd"] = request.workdir or record["workdir"]
    if request.user:
        configuration["user"]["username"] = request.user
    return configuration


def streams(entered: ExecProcess, *, stdin: int | None) -> ExecStreams:
    """The relay between our standard streams and the process's."""
    if entered.terminal_fd >= 0:
        return ExecStreams(
            outputs={entered.terminal_fd: 1}, to_process=entered.terminal_fd, stdin=stdin, ended=entered.pidfd
        )
    return ExecStreams(
        outputs={entered.stdout_fd: 1, entered.stderr_fd: 2},
        to_process=entered.stdin_fd,
        stdin=stdin,
        ended=entered.pidfd,
    )


def wait_for_end(entered: ExecProcess, signals: int, on_signals: OnSignals) -> None:
    """Until a process that has our own streams has ended; what is read from `signals` is acted on meanwhile."""
    ExecStreams(outputs={}, to_process=-1, stdin=None, ended=entered.pidfd).run(signals, on_signals)


def resize(entered: ExecProcess, rows: int, columns: int) -> None:
    """Give the process's terminal its size; the kernel sends it SIGWINCH."""
    if entered.terminal_fd >= 0 and rows and columns:
        set_window_size(entered.terminal_fd, rows=rows, columns=columns)


def send(entered: ExecProcess, number: int) -> None:
    """Pass a signal on; nothing where the process has ended."""
    try:
        signal.pidfd_send_signal(entered.pidfd, number)
    except ProcessLookupError:
        pass


def look_after(entered: ExecProcess) -> None:
    """To be called when a SIGCHLD came, and once before: the process may have made us its tracer."""
    child.look_after(entered.pid)


def exit_code(entered: ExecProcess) -> int:
    """Wait for the process's end; its exit code, 128+n for a signal. As enter.wait."""
    return attach.exit_code(runtime_exec.wait(entered))
