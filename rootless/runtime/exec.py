"""exec: one more process in a running container. No lock, no session, no database.

    caller                 exec_in_container(): holds the other ends of the streams, waits with wait()
     ├ exec intermediate   joins the namespaces by a pidfd of PID 1, clones the exec process as the caller's child, exits
     └ exec process        becomes the user, execs

The kernel identifies the exec process (sync.py); its channel is the container's as soon as it runs a program there.

The owner of the session's user namespace has every right in those below it, so the exec intermediate goes
straight from the host into the container. Everything that an answer of the container's own /proc could
falsify is read before it is entered. Hot path.
"""

from __future__ import annotations

import os

from rootless.cgroup import join
from rootless.errors import FAILURES, Conflict, InvalidInput, NotSupported
from rootless.linux import namespace as n
from rootless.linux import signal
from rootless.linux.filesystem import file_identity
from rootless.linux.process import pidfd_open_checked, set_dumpable, set_pdeathsig
from rootless.linux.seccomp import SECCOMP_FILTER_FLAG_NEW_LISTENER
from rootless.record import TYPE_CHECKING, Record
from rootless.runtime import child, descriptors, ids, monitor, namespaces, sync
from rootless.runtime.clone import CLONE_PARENT, clone, fork_into
from rootless.runtime.exec_request import INHERITED as INHERITED
from rootless.runtime.exec_request import NULL as NULL
from rootless.runtime.exec_request import PIPES as PIPES
from rootless.runtime.exec_request import TERMINAL as TERMINAL
from rootless.runtime.exec_request import CgroupTarget as CgroupTarget
from rootless.runtime.exec_request import Entered as Entered
from rootless.runtime.exec_request import ExecRequest as ExecRequest
from rootless.runtime.exec_request import ExecStdio as ExecStdio
from rootless.runtime.process import credentials, landlock, scheduling, terminal
from rootless.runtime.process.run_command import (
    Confinement,
    Progress,
    become_process,
    execute_command,
    reset_signals,
)
from rootless.runtime.process.sealed_exec import listener_of, open_exec_helper, raise_exec_error, terminal_of
from rootless.runtime.seccomp import profile as seccomp

if TYPE_CHECKING:
    from typing import NoReturn

_BY_WHICH_USERS_ARE_KNOWN = ("/etc/passwd", "/etc/group")
_MOST_GROUPS, _LONGEST_HOME = 1024, 4096
"""What an image's files may bring into a message."""
_LATE_S = 5
"""Where the command has not been executed by then it waits for something, or the machine is very busy."""


class ExecProcess(Record):
    """A process in a container, the caller's child. Descriptors are the caller's; -1: not there."""

    pid: int
    pidfd: int
    terminal_fd: int = -1
    stdin_fd: int = -1
    stdout_fd: int = -1
    stderr_fd: int = -1


class _Exec(Record):
    """A request with what is opened and read before the container is entered."""

    request: ExecRequest
    pidfd: int
    fds: tuple[tuple[int, int], ...]  # the namespaces to join: (flag, descriptor)
    streams: monitor.ContainerStreams
    confinement: Confinement
    program: int  # sealed_exec.py's


def exec_in_container(request: ExecRequest) -> ExecProcess:
    """Run the process in the container, in all namespaces of its PID 1 that differ from ours.

    Returns when the command has been executed; the process is a child of the caller: see wait(). Raises Conflict
    when the container has stopped, CommandNotFound, CommandNotExecutable, InvalidInput.
    """
    process = request.process
    if not process.get("args"):
        raise InvalidInput("no command specified")
    try:
        pidfd = pidfd_open_checked(request.pid, request.start_time)
    except ProcessLookupError:
        raise Conflict("container is not running") from None
    try:
        streams = _make_streams(request.stdio)
        bpf = _filter(request)
        fds = request.namespaces
        if fds is None:
            fds = namespaces.others(request.pid, pidfd)
        kinds = {flag for flag, _ in fds}
        confinement = Confinement(
            credentials.read_process_capabilities(process),
            bpf,
            landlock.needed(process, own_network=n.CLONE_NEWNET in kinds, own_pid=n.CLONE_NEWPID in kinds),
            ids.filter_of(request.ids, cache_dir=_cache_dir(request)),
        )
        return _start(_Exec(request, pidfd, fds, streams, confinement, open_exec_helper(process)))
    finally:
        os.close(pidfd)


def _make_streams(stdio: ExecStdio) -> monitor.ContainerStreams:
    if stdio.kind == INHERITED:
        return monitor.ContainerStreams((os.dup(0), os.dup(1), os.dup(2)))
    if stdio.kind == NULL:
        null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
        return monitor.ContainerStreams((null, os.dup(null), os.dup(null)))
    return monitor.make_streams(monitor.Stdio(stdio.kind == TERMINAL, stdio.open_stdin))


def _filter(request: ExecRequest) -> credentials.Filter:
    profile = request.linux.get("seccomp")
    if not profile:
        return credentials.Filter()
    bounding = (request.process.get("capabilities") or {}).get("bounding") or []
    return seccomp.compiled(profile, bounding, cache_dir=_cache_dir(request))


def _cache_dir(request: ExecRequest) -> str:
    return request.cache_dir or seccomp.cache_directory("")


def _start(execution: _Exec) -> ExecProcess:
    request, streams = execution.request, execution.streams
    if signal.getsignal(signal.SIGCHLD) == signal.SIG_IGN:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # inherited, the kernel would reap our child
    ours, theirs = sync.pair(cloned=True)
    intermediate, in_cgroup = fork_into(request.cgroup.path)
    if intermediate == 0:
        ours.close()
        _run_exec_intermediate(execution, theirs, in_cgroup=in_cgroup)
    theirs.close()
    descriptors.close_all((*(fd for _, fd in execution.fds), *(streams.child or ()), execution.program))
    pid = pidfd = master = -1
    try:
        pid = ours.expect_cloned()
        pidfd = child.open_child(pid)
        if request.late is not None:
            ours.tell_if_late(_LATE_S, request.late)
        if streams.child is None:
            master = terminal_of(ours.expect("terminal"))
        became = None if request.report is None else ours.expect("became")
        message = _wait_for_exec(execution, ours, pid)
        raise_exec_error(message, request.process["args"])  # the end: it has exec'd
        if request.report is not None and became is not None:
            flags = sum(flag for flag, _ in execution.fds)
            request.report(Entered(request, flags, execution.confinement, **became.data))
    except BaseException:
        if pidfd >= 0:
            child.end(pidfd)
        descriptors.close_all((pidfd, master, streams.stdin, streams.stdout, streams.stderr))
        raise
    finally:
        ours.close()
        os.waitpid(intermediate, 0)
        if pidfd < 0:
            child.look_after(pid)  # killed before it could send "cloned"
    return ExecProcess(pid, pidfd, master, streams.stdin, streams.stdout, streams.stderr)


def _wait_for_exec(execution: _Exec, channel: sync.Channel, pid: int) -> sync.Message | None:
    """The exec process's last message, "refused"; None where it has executed its command."""
    if execution.confinement.ids.asks:
        asking = channel.expect("ids")
        fd = listener_of(asking)
        try:
            ids.hand_over(execution.request.run_dir, fd, asking.data["ids"])
        finally:
            os.close(fd)
    if not execution.confinement.seccomp.flags & SECCOMP_FILTER_FLAG_NEW_LISTENER:
        return channel.receive("refused")
    message = channel.receive("seccomp", "refused")
    if message is None or message.kind != "seccomp":
        return message
    fd = listener_of(message)
    try:
        if execution.request.listener is not None:
            execution.request.listener(pid, fd)
    finally:
        os.close(fd)
    return channel.receive("refused")


def _run_exec_intermediate(execution: _Exec, channel: sync.Channel, *, in_cgroup: bool) -> NoReturn:
    request, progress = execution.request, Progress("start")
    cgroup = request.cgroup
    try:
        set_pdeathsig(signal.SIGKILL)
        if not in_cgroup:
            progress.step = "join the container's cgroup"
            join.join(cgroup.path, cgroup.unit, optional=cgroup.optional)
        try:
            scheduling.set_oom_score(request.process)
        except NotSupported:
            pass  # below the caller's, who may not lower it: then it keeps that
        # Before anything of the container can see us (CVE-2016-9962).
        set_dumpable(False)
        progress.step = "join the container's namespaces"
        if request.namespaces is None:
            namespaces.enter(execution.pidfd, execution.fds)
        else:
            namespaces.enter_each(execution.fds)
        # What our caller had open is nothing of the container's, not even for a moment.
        kept = (*range(3, 3 + request.preserve_fds), *request.passed_fds)
        descriptors.keep_only((channel.fileno(), execution.program, *(execution.streams.child or ()), *kept))
        descriptors.stop_importing()
        progress.step = "fork into the container"
        try:
            pid = clone(CLONE_PARENT)
        except OSError as error:
            raise join.full(error, cgroup.path) or error from None
        if pid == 0:
            _run_exec_process(execution, channel)
    except FAILURES as error:
        channel.send_error(error, step=progress.step)
    finally:
        os._exit(0)


def _run_exec_process(execution: _Exec, channel: sync.Channel) -> NoReturn:
    progress = Progress("start")
    try:
        channel.send("cloned")
        _become(execution, channel, progress)
    except FAILURES as error:
        channel.send_error(error, step=progress.step)
    finally:
        os._exit(125)


def _become(execution: _Exec, channel: sync.Channel, progress: Progress) -> NoReturn:
    request, process = execution.request, execution.request.process
    set_pdeathsig(signal.SIGKILL)
    reset_signals()
    os.setsid()
    progress.step = "scheduling"
    scheduling.apply_to_process(process, request.linux)
    affinity = process.get("execCPUAffinity") or {}
    if cpus := affinity.get("final") or affinity.get("initial"):
        os.sched_setaffinity(0, scheduling.cpu_list(cpus, name="process.execCPUAffinity"))
    progress.step = "become root of the container"
    credentials.become_root()
    progress.step = "keyring"
    credentials.new_keyring(filtered=bool(execution.confinement.seccomp.bpf))
    slave = -1
    if execution.streams.child is None:
        progress.step = "terminal"
        root = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        master, slave = terminal.open_terminal(root, rows=request.stdio.rows, columns=request.stdio.columns)
        channel.send("terminal", {}, (master,))
        os.close(master)
    files = [] if request.report is None else [word for path in _BY_WHICH_USERS_ARE_KNOWN for word in (path, file_identity(path))]
    command = become_process(
        process, progress, stdio=execution.streams.child, terminal_fd=slave, keep_owner=request.stdio.keep_owner,
        emulated=bool(execution.confinement.ids.bpf))  # fmt: skip
    if request.report is not None:
        user = command.user
        groups, home = user.groups, user.home
        if len(groups) > _MOST_GROUPS or len(home) > _LONGEST_HOME:
            groups, home = (), ""
        became = {"uid": user.uid, "gid": user.gid, "groups": list(groups), "home": home, "keeps_groups": user.keeps_groups}
        channel.send("became", {**became, "files": files})
    # As Docker's, it lives on when the command that started it is killed. After the change of ids, which clears it.
    set_pdeathsig(signal.SIGKILL if request.dies_with_parent else 0)
    execute_command(
        command, process, execution.confinement, channel, progress,
        program=execution.program, preserve_fds=request.preserve_fds, passed_fds=request.passed_fds,
    )  # fmt: skip


def wait(process: ExecProcess) -> int:
    """Wait for the process: its wait status (os.waitstatus_to_exitcode). The descriptors stay open.

    The caller has no other children. RootlessError, exit code 137, where the container does not let us know.
    """
    return child.wait(process.pid, process.pidfd)
