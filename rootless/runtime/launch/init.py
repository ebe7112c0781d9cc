"""The life of C, from its clone to the container's command: PID 1 of a new container.

Runs in a forked child: standard library, no output, leaves by exec or _exit. HOT.
"""

from __future__ import annotations

import os

from rootless.errors import FAILURES
from rootless.linux import mount as m
from rootless.linux import namespace as n
from rootless.linux import signal
from rootless.linux.host import setdomainname, sethostname
from rootless.linux.interface import loopback_up
from rootless.linux.openat2 import open_without_links
from rootless.linux.process import set_dumpable, set_pdeathsig
from rootless.record import TYPE_CHECKING, Record
from rootless.runtime import descriptors
from rootless.runtime.mounting import set_root_propagation
from rootless.runtime.mounts.bind import Bind
from rootless.runtime.mounts.masks import CLOSING
from rootless.runtime.mounts.rootfs import Rootfs, attach_root, enter_root, mount_root, move_root
from rootless.runtime.process import credentials, scheduling, terminal
from rootless.runtime.process.command import execute, find_command
from rootless.runtime.process.command import read_environment as read_environment
from rootless.runtime.process.sealed_exec import exec_sealed, keep_channel
from rootless.runtime.rootfs_path import mount_target
from rootless.runtime.sync import Channel

if TYPE_CHECKING:
    from typing import Any, NoReturn, Protocol

    from rootless.runtime.mounts.steps import Step

    class Prepare(Protocol):
        def __call__(self, plan: list[Step], *, undumpable: bool) -> list[Step]: ...

    class InitCallbacks(Protocol):
        """What another supervisor than A does at the turning points of C's life; called in C."""

        def descriptors(self) -> tuple[int, ...]:
            """Those that it needs; all others are closed before anything else."""

        def mounted(self, channel: Channel) -> None:
            """All is mounted, the host's paths can still be seen."""

        def ready(self, channel: Channel, terminal: tuple[int, ...]) -> Channel:
            """In place of "ready" and "start": returns when the command may run, with the channel
            for what is left to be said."""

        def starting(self, config: InitConfig, environment: dict[str, str]) -> None:
            """The user it will be, in its own root, before capabilities are dropped."""


class InitConfig(Record):
    """All that C needs, prepared before the clone."""

    spec: dict[str, Any]
    root: Rootfs
    plan: list[Step]
    new: int  # CLONE_NEW* it was cloned with
    stdio: tuple[int, int, int] | None  # None: a terminal
    rows: int
    columns: int
    seccomp: credentials.Filter
    program: int = -1  # what executes the command (sealed_exec.py), or is PID 1 (--init)
    init: bool = False
    callbacks: InitCallbacks | None = None
    preserve_fds: int = 0  # how many after stderr the command inherits
    keyring: bool = True
    pivot: bool = True
    scopes: int = 0  # LANDLOCK_SCOPE_*
    caller_unmapped: bool = False  # the container has no id for the caller, whose files its root cannot reach
    processes: int = 0  # RLIMIT_NPROC, soft, to go back to after the clone; 0: as it is
    undumpable: bool = False  # its user namespace is joined: others in there must never look into it
    open_sources: Prepare | None = None  # what must be done for the plan while C may be looked into


class InitProgress:
    """What is being done now, for the error that may come of it."""

    def __init__(self) -> None:
        self.step = "start"
        self.channel: Channel | None = None  # who hears of the error, once that is not the maker any more


def run_init(config: InitConfig, channel: Channel) -> NoReturn:
    """Become the container or send the error up `channel`; never returns."""
    progress = InitProgress()
    try:
        _set_up(config, channel, progress)
    except FAILURES as error:
        channel = progress.channel or channel
        if config.undumpable:
            descriptors.drop_everything(channel.fileno())  # now: who hears of the error kills us
        channel.send_error(error, step=progress.step)
    finally:
        if config.undumpable:
            descriptors.drop_everything()
        os._exit(125)


def _set_up(config: InitConfig, channel: Channel, progress: InitProgress) -> None:
    spec, process = config.spec, config.spec["process"]
    # Whatever happens to the monitor, the container does not outlive it.
    set_pdeathsig(signal.SIGKILL)
    # What our caller had open is nothing of the container's, not even for a moment.
    descriptors.keep_only(needed_descriptors(config, channel))
    descriptors.stop_importing()
    progress.step = "wait for the user namespace"
    channel.expect("mapped")
    if config.undumpable:
        _show_namespaces(channel)
    reset_signals()
    os.setsid()
    if config.processes:
        credentials.restore_processes(config.processes)
    progress.step = "oom_score_adj"
    if not config.undumpable:
        credentials.set_oom_score(process)
    progress.step = "time namespace, personality, scheduling"
    scheduling.apply(spec, time=not config.undumpable)
    if config.open_sources is not None:
        progress.step = "user namespaces of mounts"
        config = config._replace(plan=config.open_sources(config.plan, undumpable=config.undumpable))
    # From here on nothing that shares a namespace with us may look into this Python.
    set_dumpable(False)
    if config.caller_unmapped:
        progress.step = "look at what is to be mounted"
        config = _opened(config)
    progress.step = "become root of the container"
    os.setresgid(0, 0, 0)
    os.setresuid(0, 0, 0)
    os.umask(0o022)
    progress.step = "keyring"
    if config.keyring:
        credentials.new_keyring(filtered=bool(config.seccomp.bpf))
    if config.new & n.CLONE_NEWCGROUP:
        progress.step = "cgroup namespace"  # not by the clone: its root would be the cloner's cgroup
        n.unshare(n.CLONE_NEWCGROUP)
    _name_host(config, progress)

    # The file system, while the host's paths can still be seen.
    progress.step = "private mount propagation"
    m.mount(None, "/", None, m.MS_REC | m.MS_SLAVE)
    root_fd = _mount_root(config, channel, progress)
    for step in config.plan:
        if not isinstance(step, CLOSING):
            progress.step = step.describe()
            step.apply(root_fd)
    # What is missing for these is made in the container's file system, so that is closed after them:
    # the console's mount point, the working directory, and whatever the caller's hooks put there.
    progress.step = "terminal"
    master = slave = -1
    if config.stdio is None:
        master, slave = terminal.open_terminal(root_fd, rows=config.rows, columns=config.columns)
        terminal.bind_console(root_fd, slave)
    progress.step = "working directory"
    cwd = process.get("cwd") or "/"
    if cwd != "/":
        os.close(mount_target(root_fd, cwd, directory=True))
    if config.callbacks is not None:
        progress.step = "hooks"
        config.callbacks.mounted(channel)
    for step in config.plan:
        if isinstance(step, CLOSING):
            progress.step = step.describe()
            step.apply(root_fd)
    progress.step = "pivot_root"
    if config.pivot:
        enter_root(root_fd)
    else:
        move_root(root_fd)
    os.close(root_fd)
    set_root_propagation((spec.get("linux") or {}).get("rootfsPropagation") or "")

    # The process: everything that looks into the image happens in its own root.
    progress.step = "user"
    user = credentials.resolve_user(process)
    progress.step = "rlimits"
    credentials.set_rlimits(process)
    progress.step = "security label"
    credentials.set_label(process)
    capabilities = credentials.read_process_capabilities(process)
    progress.step = "standard input and output"
    if config.stdio is None:
        terminal.use_terminal(slave, uid=user.uid)
    else:
        terminal.use_pipes(config.stdio, uid=user.uid)
    progress.step = "become the user"
    credentials.become(user, umask=(process.get("user") or {}).get("umask"))
    # A change of uid clears it; A is alive if its "start" arrives after this.
    set_pdeathsig(signal.SIGKILL)
    progress.step = "working directory"
    credentials.change_directory(cwd)
    progress.step = "command"
    environment = read_environment(process, home=user.home, uid=user.uid)
    arguments = list(process["args"])
    path = find_command(arguments[0], environment)
    masters = () if master < 0 else (master,)

    progress.step = "wait for the network"
    if config.callbacks is None:
        channel.send("ready", {}, masters)
        channel.expect("start")
    else:
        progress.channel = channel = config.callbacks.ready(channel, masters)
        progress.step = "startContainer hooks"
        config.callbacks.starting(config, environment)
    progress.step = "close descriptors"
    credentials.close_all_but_stdio(preserve=config.preserve_fds)
    # Before the filter, which may forbid it.
    channel.send("executing")
    if not config.init:
        keep_channel(config.program, channel)
    progress.step = "confine"
    listener = credentials.confine(process, capabilities, config.seccomp, config.scopes)
    if listener >= 0:
        channel.send("seccomp", {}, (listener,))
    progress.step = "exec"
    if config.init:
        execute(config.program, ["rootless-init", "--", path, *arguments[1:]], environment)
    exec_sealed(config.program, channel, path, arguments, environment, seccomp=config.seccomp)


def needed_descriptors(config: InitConfig, channel: Channel) -> tuple[int, ...]:
    """The descriptors that C needs: all others are closed before anything of the container's sees it."""
    turns = config.callbacks.descriptors() if config.callbacks else ()
    trees = (step.fd for step in config.plan if isinstance(step, Bind))
    return (channel.fileno(), config.program, *(config.stdio or ()), *range(3, 3 + config.preserve_fds), *trees, *turns)


def _show_namespaces(channel: Channel) -> None:
    """Hand our user and network namespace to A, which cannot look at them."""
    fds = tuple(os.open(f"/proc/self/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC) for kind in ("user", "net"))
    channel.send("namespaces", {}, fds)
    descriptors.close_all(fds)


def reset_signals() -> None:
    """Default actions and nothing blocked, as a new program expects."""
    # Python ignores SIGPIPE and SIGXFSZ, and what is ignored or blocked survives exec.
    for number in (
        signal.SIGPIPE,
        signal.SIGXFSZ,
        signal.SIGHUP,
        signal.SIGINT,
        signal.SIGQUIT,
        signal.SIGTERM,
        signal.SIGCHLD,
        signal.SIGTSTP,
        signal.SIGTTIN,
        signal.SIGTTOU,
        signal.SIGUSR1,
        signal.SIGUSR2,
    ):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _name_host(config: InitConfig, progress: InitProgress) -> None:
    if config.new & n.CLONE_NEWUTS:
        progress.step = "hostname"
        sethostname(config.spec.get("hostname") or "localhost")
        if config.spec.get("domainname"):
            setdomainname(config.spec["domainname"])
    if config.new & n.CLONE_NEWNET:
        progress.step = "loopback"
        loopback_up()


def _opened(config: InitConfig) -> InitConfig:
    """With every path of the host's as a descriptor, opened while we still have the caller's id."""

    def name(path: str, *, exact: bool = False) -> str:
        fd = open_without_links(path) if exact else os.open(path, os.O_PATH | os.O_CLOEXEC)
        return f"/proc/self/fd/{fd}"

    def opened(step: Step) -> Step:
        if not isinstance(step, Bind) or step.fd >= 0:
            return step
        try:
            return step._replace(host_path=name(step.host_path, exact=step.exact), exact=False)
        except FileNotFoundError:
            return step  # the step has its own words for it

    root = config.root
    lower = tuple(name(path) for path in root.lower) if root.driver == "directory" else root.lower
    plan = [opened(step) for step in config.plan]
    return config._replace(plan=plan, root=root._replace(path=name(root.path), lower=lower))


def _mount_root(config: InitConfig, channel: Channel, progress: InitProgress) -> int:
    progress.step = f"mount the root ({config.root.driver})"
    if config.root.driver != "fuse-overlayfs":
        return mount_root(config.root)
    # Its daemon must not be a process of the container: A starts it and passes us the mount.
    return attach_root(config.root, channel.expect("rootfs").fds[0])
