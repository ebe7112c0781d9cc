"""From a configuration and a root to a running, supervised container. HOT.

    CLI  launch(): forks A, waits for "launched" and for A to become the monitor
     └ A, the supervisor: clones C, maps its ids, starts the network while C mounts, records the state, lets C go
       ├ (B) intermediate.py, only where namespaces are joined: enters them, clones C as A's child
       └ C   init.py
Until A is the monitor it dies with the CLI; C dies with A, always."""

from __future__ import annotations

import gc
import os

from rootless.cgroup.create import CgroupResult
from rootless.errors import FAILURES, InvalidInput, NotSupported, RootlessError
from rootless.linux import namespace as n
from rootless.linux import signal, socket
from rootless.linux.process import set_child_subreaper, set_pdeathsig, start_time
from rootless.record import TYPE_CHECKING, Record
from rootless.runtime import child, monitor, namespaces, sync
from rootless.runtime.descriptors import close_all
from rootless.runtime.launch import init
from rootless.runtime.launch.cgroup import LaunchCgroup
from rootless.runtime.monitor import MonitorOptions as MonitorOptions
from rootless.runtime.monitor import Stdio as Stdio
from rootless.runtime.mounts.plan import PlanFacts, build_plan, with_trees
from rootless.runtime.mounts.rootfs import Rootfs, fuse_overlay
from rootless.runtime.process import landlock
from rootless.runtime.process.init_program import open_first, wants_init
from rootless.runtime.process.sealed_exec import raise_exec_error, terminal_of
from rootless.runtime.seccomp import profile

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn

    # Called with PID 1's pid and descriptors of its user and network namespace, the caller's.
    Network = Callable[[int, tuple[int, int]], dict[str, Any]]
    Place = Callable[[], CgroupResult]  # makes the container's cgroup, in A before anything is cloned


class LaunchedContainer(Record):
    """A started container. `attach_fd` is our end of the monitor's first client (-1: none),
    the caller's to close; `network` what the network callback returned, less its descriptors, and (but for
    `record`) less its "ports": a message holds so many and no more."""

    pid: int
    start_time: int
    monitor_pid: int
    monitor_start_time: int
    attach_fd: int
    network: dict[str, Any]


class LaunchRequest(Record):
    root: Rootfs
    container_dir: str
    run_dir: str
    stdio: Stdio
    supervision: MonitorOptions
    network: Network | None
    record: Callable[[LaunchedContainer], None]
    started: Callable[[], None]
    config: init.InitConfig
    joined: namespaces.Joined
    maps: tuple[str, str]
    client: int
    place: Place | None
    hold_fds: tuple[int, ...]


def launch(
    spec: dict[str, Any],
    *,
    root: Rootfs,
    container_dir: str,
    run_dir: str,
    stdio: Stdio,
    supervision: MonitorOptions,
    network: Network | None,
    record: Callable[[LaunchedContainer], None],
    client: bool,
    started: Callable[[], None] = lambda: None,
    greeting: tuple[bytes, ...] = (),
    place: Place | None = None,
    preserve_fds: int = 0,
    trees: dict[str, int] | None = None,
    hold_fds: tuple[int, ...] = (),
) -> LaunchedContainer:
    """Start the container of `spec` (an OCI config.json as a dict) on `root`.

    The caller has joined the session and is single-threaded; both directories exist. `network` is called in A when
    C's namespaces exist, with PID 1's pid and descriptors of its user and network namespaces (A's to close), and may
    leave children there; "hold_fds" in its result stay open in the monitor. `place` runs in A first of all: the
    container's cgroup and limits; on an error the cgroup is removed again. `record` runs in A before the command may
    run, `started` once it does. With `client` the monitor's first client is ours, and has said `greeting` before
    anything can end. The command inherits `preserve_fds` descriptors from 3 on, the monitor `hold_fds`. `trees` are
    detached mounts for the binds at those guest paths; they are closed. After an error nothing is left.
    """
    config, joined, maps = _prepare(spec, root, stdio, cache_dir=profile.cache_directory(container_dir))
    config = config._replace(preserve_fds=preserve_fds, plan=with_trees(config.plan, trees or {}))
    ours, theirs = sync.pair()
    attach_fd = client_fd = -1
    if client:
        end, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        for packet in greeting:
            end.send(packet)
        attach_fd, client_fd = end.detach(), other.detach()
    request = LaunchRequest(
        root, container_dir, run_dir, stdio, supervision, network, record, started, config, joined, maps, client_fd, place, hold_fds,
    )  # fmt: skip
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        ours.close()
        _run_supervisor(request, theirs, parent)
    theirs.close()
    close_all(fd for _, fd in joined.fds)
    close_all((client_fd, config.program, *hold_fds, *(trees or {}).values()))
    try:
        data = ours.expect("launched").data
        ours.receive()  # the end: A is the monitor now; or an error
    except BaseException as error:
        ours.close()
        close_all((attach_fd,))
        # Interrupted, or A may be anything, the monitor even: it dies, and C with it.
        if not isinstance(error, RootlessError) or isinstance(error, sync.Tampered):
            os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        raise
    ours.close()
    return LaunchedContainer(**data, attach_fd=attach_fd)


def _prepare(
    spec: dict[str, Any], root: Rootfs, stdio: Stdio, *, cache_dir: str
) -> tuple[init.InitConfig, namespaces.Joined, tuple[str, str]]:
    """Everything that can fail for reasons in the request, before any process is made."""
    linux = spec.get("linux") or {}
    process = spec.get("process") or {}
    if not process.get("args"):
        raise InvalidInput("no command specified")
    if any((spec.get("hooks") or {}).values()):
        raise NotSupported("OCI hooks are not supported", hint="remove `hooks` from the configuration")
    joined = namespaces.open_joined(namespaces.read_namespaces(linux))
    kinds = {kind for kind, _ in joined.fds}
    uid_map = namespaces.id_map("uid", linux.get("uidMappings") or [])
    gid_map = namespaces.id_map("gid", linux.get("gidMappings") or [])

    def own(name: str) -> bool:
        return bool(joined.new & namespaces.FLAGS[name]) or name in kinds

    circumstances = PlanFacts(
        own_pid=own("pid"),
        own_network=own("network"),
        own_ipc=own("ipc"),
        own_uts=own("uts"),
        tty_group=namespaces.is_mapped(gid_map, 5),
    )
    plan = build_plan(spec, circumstances, root_readonly=root.readonly)
    config = init.InitConfig(
        spec=spec,
        root=root,
        caller_unmapped=not namespaces.holds(uid_map, 0),
        plan=plan,
        new=joined.new,
        stdio=None,
        rows=stdio.rows,
        columns=stdio.columns,
        seccomp=profile.filter_of(spec, cache_dir=cache_dir),
        program=open_first(spec),
        init=wants_init(spec),
        undumpable=not joined.new & n.CLONE_NEWUSER,
        scopes=landlock.needed(process, own_network=circumstances.own_network, own_pid=circumstances.own_pid),
    )
    return config, joined, (uid_map, gid_map)


class _Launch:
    """What A has made so far, so that an error can unmake it."""

    def __init__(self) -> None:
        self.step = "start the monitor"
        self.pid = -1
        self.pidfd = -1
        self.between = -1  # B, that goes before C; ends by itself
        self.place = LaunchCgroup(CgroupResult())


def _run_supervisor(request: LaunchRequest, to_cli: sync.Channel, parent: int) -> NoReturn:
    """A's life, up to its exec of the monitor."""
    launch = _Launch()
    try:
        gc.disable()
        set_pdeathsig(signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)
        _supervise(request, to_cli, launch)
    except FAILURES as error:
        if launch.pidfd >= 0:
            child.end(launch.pidfd)
        to_cli.send_error(launch.place.explain(error), step=launch.step)
        launch.place.remove()
    finally:
        os._exit(125)


def _supervise(request: LaunchRequest, to_cli: sync.Channel, launch: _Launch) -> None:
    os.setsid()  # what is typed at the CLI's terminal comes by the attach protocol only
    # What network and FUSE daemons leave behind becomes the monitor's to reap.
    set_child_subreaper()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGWINCH, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    streams = monitor.make_streams(request.stdio)
    config = request.config._replace(stdio=streams.child)
    attach = monitor.listen(request.run_dir)

    if request.place is not None:
        launch.step = "make the cgroup"
        launch.place = LaunchCgroup(request.place())
    launch.step = "make the namespaces"
    to_init, from_supervisor = sync.pair(cloned=bool(request.joined.fds) or launch.place.limits_processes)
    launch.pid = _clone_init(config, request, launch, to_init, from_supervisor)
    launch.pidfd = child.open_child(launch.pid)
    from_supervisor.close()
    close_all(streams.child or ())
    for fd in range(3, 3 + config.preserve_fds):
        os.set_inheritable(fd, False)  # C has them
    if config.new & n.CLONE_NEWUSER and not launch.place.limits_processes:
        launch.step = "map user and group ids"
        namespaces.write_map(launch.pid, "uid", request.maps[0])
        namespaces.write_map(launch.pid, "gid", request.maps[1])
    if config.undumpable:
        to_init.send("mapped")
        user, net = to_init.expect("namespaces").fds
    else:
        # Before "mapped": afterwards C cannot be looked into, not even at its namespaces.
        user, net = (namespaces.open_of(launch.pid, kind) for kind in ("user", "net"))
        to_init.send("mapped")
    if launch.between > 0:
        os.waitpid(launch.between, 0)
    found: dict[str, Any] = {}  # the network comes up while C mounts
    if request.root.driver == "fuse-overlayfs":
        launch.step = "mount the root (fuse-overlayfs)"
        mount = fuse_overlay(
            request.root,
            user_namespace=-1 if request.root.uid_map else user,  # shifted ids are those of the session
        )
        to_init.send("rootfs", {}, (mount,))
        os.close(mount)
    if request.network is not None:
        launch.step = "network"
        found = dict(request.network(launch.pid, (user, net)))
    hold = (*found.pop("hold_fds", ()), *request.hold_fds)
    close_all((user, net))
    launch.step = "set up the container"
    ready = to_init.expect("ready")
    terminal = terminal_of(ready) if ready.fds else -1

    launch.step = "record the state"
    launched = LaunchedContainer(launch.pid, start_time(launch.pid), os.getpid(), start_time(os.getpid()), -1, found)
    request.record(launched)
    launch.step = "execute the command"
    to_init.send("start")
    to_init.expect("executing")
    raise_exec_error(to_init.receive("refused"), config.spec["process"]["args"])
    to_init.close()
    launch.step = "set the limits"
    launch.place.apply_late_limits()
    request.started()
    found.pop("ports", None)
    to_cli.send("launched", {**{name: getattr(launched, name) for name in sync.PROCESS}, "network": found})
    launch.step = "start the monitor"
    monitor.become_monitor(
        monitor.MonitorTarget(
            launch.pid, launched.start_time, request.container_dir, request.run_dir, attach.fileno(),
            request.client, terminal, streams, hold, launch.place.result.path,
        ),
        request.supervision,
    )  # fmt: skip


def _clone_init(
    config: init.InitConfig, request: LaunchRequest, launch: _Launch, to_init: sync.Channel, from_supervisor: sync.Channel
) -> int:
    joined, place = request.joined, launch.place
    if joined.fds or place.limits_processes:
        from rootless.runtime.launch.intermediate import clone_via_intermediate

        pid, launch.between = clone_via_intermediate(config, place, to_init, from_supervisor, joined=joined, maps=request.maps)
        return pid
    try:
        pid = place.clone(joined.new)
    except OSError as error:
        raise namespaces.refused(error) from None
    if pid == 0:
        to_init.close()
        init.run_init(config, from_supervisor)
    return pid
