"""From a configuration and a root to a running, supervised container.

    CLI  launch(): forks the supervisor, waits for "launched" and for the supervisor to become the monitor
     └ supervisor: clones the init, maps its ids, starts the network while the init mounts, records the state,
       │           lets the init go
       ├ (intermediate, only where namespaces are joined: enters them, clones the init as the supervisor's child)
       └ init      init.py
Until the supervisor is the monitor it dies with the CLI; the init dies with the supervisor, always. Hot path."""

from __future__ import annotations

import gc
import os

from rootless.cgroup.create import CgroupResult
from rootless.errors import FAILURES, InvalidInput, RootlessError
from rootless.linux import namespace as n
from rootless.linux import signal, socket
from rootless.linux.process import set_child_subreaper, set_pdeathsig, start_time
from rootless.linux.signals import ignore_sent_to_jobs
from rootless.record import TYPE_CHECKING, Record
from rootless.runtime import child, ids, monitor, namespaces, sync
from rootless.runtime.descriptors import close_all
from rootless.runtime.launch.cgroup import LaunchCgroup
from rootless.runtime.launch.init import InitConfig
from rootless.runtime.launch.init_config import build_init_config, plan_facts
from rootless.runtime.launch.start_init import start_init
from rootless.runtime.monitor import MonitorOptions as MonitorOptions
from rootless.runtime.monitor import Stdio as Stdio
from rootless.runtime.mounts.plan import with_trees
from rootless.runtime.mounts.rootfs import Rootfs, fuse_overlay, with_image
from rootless.runtime.process.init_program import is_pause, open_first, wants_init
from rootless.runtime.process.run_command import Progress
from rootless.runtime.process.sealed_exec import raise_exec_error, terminal_of
from rootless.runtime.seccomp import profile
from rootless.undo import Undo

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn

    from rootless.runtime.launch.init import InitCallbacks

    # Called with PID 1's pid and descriptors of its user and network namespace, the caller's.
    Network = Callable[[int, tuple[int, int]], dict[str, Any]]


_MANY = ("ports", "port_fds")
"""Of what the network callback returns, what is recorded but not sent: a message holds so many and no more."""


class LaunchedContainer(Record):
    """A started container. `attach_fd` is our end of the monitor's first client (-1: none),
    the caller's to close; `network` what the network callback returned, less its descriptors, and (but for
    `record`) less _MANY."""

    pid: int
    start_time: int
    monitor_pid: int
    monitor_start_time: int
    attach_fd: int
    network: dict[str, Any]


class LaunchRequest(Record):
    """What to start, keyword arguments only. The functions are called in the supervisor."""

    spec: dict[str, Any]  # an OCI config.json
    root: Rootfs
    container_dir: str  # both directories exist
    run_dir: str
    stdio: Stdio
    supervision: MonitorOptions
    # Runs before the command may.
    record: Callable[[LaunchedContainer], None]
    # Whether the monitor's first client is ours, and what that has sent (packets of the attach protocol) before
    # anything can end.
    client: bool
    greeting: tuple[bytes, ...] = ()
    # Runs first of all: makes the container's cgroup with its limits, which is removed again on an error.
    create_cgroup: Callable[[], CgroupResult] = CgroupResult
    # Runs when the init's namespaces exist, and may leave children; "hold_fds" in its result stay open in the monitor,
    # whose options "supervision" are.
    network: Network | None = None
    # Of ids.LEVELS; "": the kernel's ids are all there are.
    ids: str = ""
    # How many descriptors of the caller's, from 3 on, the command inherits. It inherits nothing else.
    preserve_fds: int = 0
    # More clients of the monitor, connected before anything runs. Closed.
    attachers: tuple[int, ...] = ()
    # Detached mounts for the binds at these guest paths, in place of their sources, which we may not see. Closed.
    trees: dict[str, int] = {}
    # Descriptors that stay open in the monitor. Closed.
    hold_fds: tuple[int, ...] = ()
    # Runs once the command does.
    started: Callable[[], None] = lambda: None


class _Launch(Record):
    """A request with what is prepared before any process is made."""

    request: LaunchRequest
    config: InitConfig
    joined: namespaces.Joined
    maps: tuple[str, str]
    client_fd: int


def launch(request: LaunchRequest) -> LaunchedContainer:
    """Start the container of `request`. The caller has joined the session and is single-threaded.

    Raises a RootlessError, after which nothing is left running.
    """
    borrowed: tuple[int, ...] = ()
    try:
        root, borrowed = with_image(request.root)
        request = request._replace(root=root, hold_fds=(*request.hold_fds, *borrowed[1:]))
        config, joined, maps = _prepare(request)
    except BaseException:
        close_all((*request.attachers, *borrowed))
        raise
    debug = bool(os.environ.get("ROOTLESS_DEBUG"))
    if debug:
        from rootless.runtime.launch import report

        report.before(config, maps)
    ours, theirs = sync.pair()
    attach_fd = client_fd = -1
    if request.client:
        end, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        for packet in request.greeting:
            end.send(packet)
        attach_fd, client_fd = end.detach(), other.detach()
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        ours.close()
        _run_supervisor(_Launch(request, config, joined, maps, client_fd), theirs, parent)
    theirs.close()
    close_all(fd for _, fd in joined.fds)
    to_journal = request.supervision.journal, request.supervision.journal_fields
    close_all(
        (client_fd, config.program, *to_journal, *request.attachers, *request.hold_fds, *request.trees.values(), request.root.image_mount)
    )
    try:
        data = ours.expect("launched").data
        ours.receive()  # the end: the supervisor is the monitor now; or an error
    except BaseException as error:
        ours.close()
        close_all((attach_fd,))
        # Interrupted, or the supervisor may be anything, the monitor even: it dies, and the init with it.
        if not isinstance(error, RootlessError) or isinstance(error, sync.Tampered):
            os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        raise
    ours.close()
    launched = LaunchedContainer(**data, attach_fd=attach_fd)
    if debug:
        report.after(launched.pid, launched.monitor_pid)
    return launched


def _prepare(request: LaunchRequest) -> tuple[InitConfig, namespaces.Joined, tuple[str, str]]:
    """Everything that can fail for reasons in the request, before any process is made."""
    spec = request.spec
    linux = spec.get("linux") or {}
    if not (spec.get("process") or {}).get("args"):
        raise InvalidInput("no command specified")
    callbacks: InitCallbacks | None = None
    if any((spec.get("hooks") or {}).values()):
        from rootless.runtime.launch import container_hooks

        callbacks = container_hooks.prepare(spec, root=request.root.path, run_dir=request.run_dir)
    joined = namespaces.open_joined(namespaces.read_namespaces(linux))
    uid_map = namespaces.id_map("uid", linux.get("uidMappings") or [])
    gid_map = namespaces.id_map("gid", linux.get("gidMappings") or [])
    config = build_init_config(
        spec,
        request.root,
        joined,
        plan_facts(joined, gid_map),
        size=(request.stdio.rows, request.stdio.columns),
        cache_dir=profile.cache_directory(request.container_dir),
        program=open_first(spec),
    )
    filter_ = ids.filter_of(request.ids, cache_dir=profile.cache_directory(request.container_dir))
    ids.refuse_two(filter_, config.confinement.seccomp.flags)
    config = config._replace(
        plan=with_trees(config.plan, request.trees),
        init=wants_init(spec),
        pause=is_pause(spec),
        confinement=config.confinement._replace(ids=filter_),
        preserve_fds=request.preserve_fds,
        callbacks=callbacks,
        caller_unmapped=not namespaces.holds(uid_map, 0),
    )
    return config, joined, (uid_map, gid_map)


def _run_supervisor(launch: _Launch, to_cli: sync.Channel, parent: int) -> NoReturn:
    """The supervisor, up to its exec of the monitor."""
    progress = Progress("start the monitor")
    cgroup = LaunchCgroup(CgroupResult())
    try:
        gc.disable()
        set_pdeathsig(signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)
        with Undo() as undo:
            _supervise(launch, to_cli, progress, cgroup, undo)
    except FAILURES as error:
        to_cli.send_error(cgroup.explain(error), step=progress.step)
        cgroup.remove()
    finally:
        os._exit(125)


def _supervise(
    launch: _Launch, to_cli: sync.Channel, progress: Progress, cgroup: LaunchCgroup, undo: Undo
) -> None:
    request = launch.request
    os.setsid()  # what is typed at the CLI's terminal comes by the attach protocol only
    # What network and FUSE daemons leave behind becomes the monitor's to reap.
    set_child_subreaper()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGWINCH, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    streams = monitor.make_streams(request.stdio)
    attach = monitor.listen(request.run_dir)
    progress.step = "make the cgroup"
    cgroup.result = request.create_cgroup()

    def write_maps(pid: int) -> None:
        progress.step = "map user and group ids"
        namespaces.write_map(pid, "uid", launch.maps[0])
        namespaces.write_map(pid, "gid", launch.maps[1])

    progress.step = "make the namespaces"
    config = launch.config._replace(stdio=streams.child)
    started = start_init(config, launch.joined, write_maps if config.new & n.CLONE_NEWUSER else None, cgroup)
    undo.add(lambda: child.end(started.pidfd))
    for fd in range(3, 3 + config.preserve_fds):
        os.set_inheritable(fd, False)  # the init has them
    answering = 0
    if config.confinement.ids.asks:
        from rootless.runtime.launch import emulation

        answering = emulation.start_answering(request.container_dir, request.run_dir, cgroup.result.path, undo)
    found = _connect(request, started.pid, started.channel, (started.user_fd, started.network_fd), progress)
    hold = (*found.pop("hold_fds", ()), *request.hold_fds)
    supervision = request.supervision._replace(**found.pop("supervision", {}))
    progress.step = "set up the container"
    if config.callbacks is not None:
        started.channel.expect("mounted")
        started.channel.send("hooked", {"pid": started.pid})
    ready = started.channel.expect("ready")
    terminal = terminal_of(ready) if ready.fds else -1
    progress.step = "record the state"
    launched = LaunchedContainer(started.pid, start_time(started.pid), os.getpid(), start_time(os.getpid()), -1, found)
    request.record(launched)
    progress.step = "execute the command"
    started.channel.send("start")
    started.channel.expect("executing")
    if config.confinement.ids.asks:
        hold = (*hold, emulation.answer(started.channel, request.run_dir))
    raise_exec_error(started.channel.receive("refused"), config.spec["process"]["args"])
    started.channel.close()
    progress.step = "set the limits"
    cgroup.apply_late_limits()
    request.started()
    for name in _MANY:
        found.pop(name, None)
    ignore_sent_to_jobs()  # from here on they would end a container that has begun
    to_cli.send("launched", {**{name: getattr(launched, name) for name in sync.PROCESS}, "network": found})
    progress.step = "start the monitor"
    monitor.become_monitor(
        monitor.MonitorTarget(
            launched.pid, launched.start_time, request.container_dir, request.run_dir, attach.fileno(),
            launch.client_fd, terminal, streams, hold, request.attachers, cgroup.result.path, answering,
        ),
        supervision,
    )  # fmt: skip


def _connect(
    request: LaunchRequest, pid: int, channel: sync.Channel, fds: tuple[int, int], progress: Progress
) -> dict[str, Any]:
    """Start the FUSE root and the network while the init mounts: what the network's function returns. `fds` are
    the init's user and network namespace; closed."""
    found: dict[str, Any] = {}
    if request.root.driver == "fuse-overlayfs":
        progress.step = "mount the root (fuse-overlayfs)"
        mount = fuse_overlay(request.root)
        channel.send("rootfs", {}, (mount,))
        os.close(mount)
    if request.network is not None:
        progress.step = "network"
        found = dict(request.network(pid, fds))
    close_all(fds)
    return found
