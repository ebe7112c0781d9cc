"""The container's init: from its clone(2) to the exec of the command.

Runs in a forked child: standard library, no output, leaves by exec or _exit. Hot path.
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
from rootless.runtime.mounts import rootfs
from rootless.runtime.mounts.bind import Bind
from rootless.runtime.mounts.masks import CLOSING
from rootless.runtime.mounts.rootfs import Rootfs
from rootless.runtime.process import credentials, scheduling, terminal
from rootless.runtime.process.run_command import (
    Command,
    Confinement,
    Progress,
    become_process,
    execute_command,
    reset_signals,
)
from rootless.runtime.rootfs_path import mount_target
from rootless.runtime.sync import Channel

if TYPE_CHECKING:
    from typing import Any, NoReturn, Protocol

    from rootless.runtime.mounts.steps import Step

    class OpenSources(Protocol):
        def __call__(self, plan: list[Step], *, undumpable: bool) -> list[Step]: ...

    class InitCallbacks(Protocol):
        """What rootless-oci adds at three points of the init; called in the init."""

        def descriptors(self) -> tuple[int, ...]:
            """Those that the callbacks need; all others are closed before anything else."""

        def before_pivot(self, channel: Channel) -> None:
            """All is mounted, and the host's paths can still be seen."""

        def wait_for_start(self, channel: Channel, terminal: tuple[int, ...]) -> Channel:
            """Send "ready" and wait for "start". Returns the channel for all later messages."""

        def before_exec(self, config: InitConfig, environment: dict[str, str]) -> None:
            """Called as the command's user, in the container's root, before capabilities are dropped."""


class InitConfig(Record):
    """All that an init needs, prepared before the clone."""

    spec: dict[str, Any]
    root: Rootfs
    plan: list[Step]
    new: int  # CLONE_NEW* it was cloned with
    stdio: tuple[int, int, int] | None  # None: a terminal
    rows: int
    columns: int
    confinement: Confinement
    program: int = -1  # what executes the command (sealed_exec.py), or is PID 1 (--init)
    init: bool = False  # whether `program` is the init program
    pause: bool = False  # and starts no command
    callbacks: InitCallbacks | None = None
    preserve_fds: int = 0  # how many after stderr the command inherits
    keyring: bool = True
    pivot: bool = True
    caller_unmapped: bool = False  # the caller's uid is unmapped: the container's root cannot open the caller's files
    processes: int = 0  # RLIMIT_NPROC, soft, to go back to after the clone; 0: as it is
    undumpable: bool = False  # from the clone on: its user namespace is joined, others in there must not trace it
    open_sources: OpenSources | None = None  # what must be done for the plan while the init may still be traced


class MountedRoot(Record):
    """The container's file system, before it is entered. -1: no terminal."""

    fd: int
    terminal_master: int
    terminal_slave: int


def run_init(config: InitConfig, channel: Channel) -> NoReturn:
    """Become the container's command or send the error up `channel`; never returns."""
    progress = Progress("start")
    try:
        config = prepare_isolation(config, channel, progress)
        mounted = mount_filesystem(config, channel, progress)
        enter_root(config, mounted.fd, progress)
        command = become_process(
            config.spec["process"], progress, stdio=config.stdio, terminal_fd=mounted.terminal_slave, pause=config.pause,
            emulated=bool(config.confinement.ids.bpf),
        )  # fmt: skip
        wait_and_exec(config, channel, mounted.terminal_master, command, progress)
    except FAILURES as error:
        channel = progress.channel or channel
        if config.undumpable:
            # Close before sending: the supervisor kills us when it reads the error.
            descriptors.drop_everything(channel.fileno())
        channel.send_error(error, step=progress.step)
    finally:
        if config.undumpable:
            descriptors.drop_everything()
        os._exit(125)


def prepare_isolation(config: InitConfig, channel: Channel, progress: Progress) -> InitConfig:
    """Leave the caller behind: descriptors, imports, session, signals, keyring; become undumpable and root of the
    user namespace, once it has its ids. Returns `config` with its sources opened where only we can still do that."""
    spec = config.spec
    # Whatever happens to the monitor, the container does not outlive it.
    set_pdeathsig(signal.SIGKILL)
    # What our caller had open is nothing of the container's, not even for a moment.
    descriptors.keep_only(needed_descriptors(config, channel))
    descriptors.stop_importing()
    progress.step = "wait for the user namespace"
    channel.expect("mapped")
    if config.undumpable:
        _send_namespaces(channel)
    reset_signals()
    os.setsid()
    if config.processes:
        credentials.restore_processes(config.processes)
    progress.step = "oom_score_adj"
    if not config.undumpable:
        scheduling.set_oom_score(spec["process"])
    progress.step = "time namespace, personality, scheduling"
    scheduling.apply(spec, time=not config.undumpable)
    if config.open_sources is not None:
        progress.step = "user namespaces of mounts"
        config = config._replace(plan=config.open_sources(config.plan, undumpable=config.undumpable))
    # From here on nothing that shares a namespace with us may trace this Python.
    set_dumpable(False)
    if config.caller_unmapped:
        progress.step = "look at what is to be mounted"
        config = _opened(config)
    progress.step = "become root of the container"
    credentials.become_root()
    os.umask(0o022)
    progress.step = "keyring"
    if config.keyring:
        credentials.new_keyring(filtered=bool(config.confinement.seccomp.bpf))
    if config.new & n.CLONE_NEWCGROUP:
        progress.step = "cgroup namespace"  # not by the clone: its root would be the cloner's cgroup
        n.unshare(n.CLONE_NEWCGROUP)
    _name_host(config, progress)
    return config


def mount_filesystem(config: InitConfig, channel: Channel, progress: Progress) -> MountedRoot:
    """Mount all of the plan while the host's paths can still be seen, with the terminal and the hooks."""
    plan = []
    for step in config.plan:
        if isinstance(step, Bind) and step.fd < 0 and step.options.propagation == m.MS_SHARED:
            # While this is still a peer of its source: a slave's copy sends nothing back.
            progress.step = step.describe()
            step = step._replace(fd=step.open())
        plan.append(step)
    progress.step = "private mount propagation"
    m.mount(None, "/", None, m.MS_REC | m.MS_SLAVE)
    root_fd = _mount_root(config, channel, progress)
    for step in plan:
        if not isinstance(step, CLOSING):
            progress.step = step.describe()
            step.apply(root_fd)
    # These three may make what they need in the container's file system, so it is closed after them:
    # the console's mount point, the working directory, and whatever the caller's hooks put there.
    progress.step = "terminal"
    master = slave = -1
    if config.stdio is None:
        master, slave = terminal.open_terminal(root_fd, rows=config.rows, columns=config.columns)
        terminal.bind_console(root_fd, slave)
    progress.step = "working directory"
    cwd = config.spec["process"].get("cwd") or "/"
    if cwd != "/":
        os.close(mount_target(root_fd, cwd, directory=True))
    if config.callbacks is not None:
        progress.step = "hooks"
        config.callbacks.before_pivot(channel)
    for step in config.plan:
        if isinstance(step, CLOSING):
            progress.step = step.describe()
            step.apply(root_fd)
    return MountedRoot(root_fd, master, slave)


def enter_root(config: InitConfig, root_fd: int, progress: Progress) -> None:
    """Make `root_fd`, which is closed, the root, and let go of the host's file system."""
    progress.step = "pivot_root"
    if config.pivot:
        rootfs.enter_root(root_fd)
    else:
        rootfs.move_root(root_fd)
    os.close(root_fd)
    set_root_propagation((config.spec.get("linux") or {}).get("rootfsPropagation") or "")


def wait_and_exec(
    config: InitConfig, channel: Channel, master: int, command: Command, progress: Progress
) -> NoReturn:
    """Report "ready" with the terminal's `master`, wait for "start", execute the command.

    The supervisor is alive if its "start" arrives: PR_SET_PDEATHSIG has been set again by then.
    """
    masters = () if master < 0 else (master,)
    progress.step = "wait for the network"
    if config.callbacks is None:
        channel.send("ready", {}, masters)
        channel.expect("start")
    else:
        progress.channel = channel = config.callbacks.wait_for_start(channel, masters)
        progress.step = "startContainer hooks"
        config.callbacks.before_exec(config, command.environment)
    # Before the filter, which may forbid it.
    channel.send("executing")
    execute_command(
        command, config.spec["process"], config.confinement, channel, progress,
        program=config.program, preserve_fds=config.preserve_fds, init=config.init,
    )  # fmt: skip


def handed_over(config: InitConfig) -> tuple[int, ...]:
    """The descriptors that are for the init alone, -1 among them: its parent closes them after the clone."""
    callbacks = config.callbacks.descriptors() if config.callbacks else ()
    trees = (step.fd for step in config.plan if isinstance(step, Bind))
    return (config.program, *(config.stdio or ()), *trees, config.root.image_mount, *callbacks)


def needed_descriptors(config: InitConfig, channel: Channel) -> tuple[int, ...]:
    """The descriptors that the init needs: all others are closed before anything of the container's sees it."""
    return (channel.fileno(), *range(3, 3 + config.preserve_fds), *handed_over(config))


def _send_namespaces(channel: Channel) -> None:
    """Hand our user and network namespace to the supervisor, which cannot open them."""
    fds = tuple(os.open(f"/proc/self/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC) for kind in ("user", "net"))
    channel.send("namespaces", {}, fds)
    descriptors.close_all(fds)


def _name_host(config: InitConfig, progress: Progress) -> None:
    if config.new & n.CLONE_NEWUTS:
        progress.step = "hostname"
        sethostname(config.spec.get("hostname") or "localhost")
        if config.spec.get("domainname"):
            setdomainname(config.spec["domainname"])
    if config.new & n.CLONE_NEWNET:
        progress.step = "loopback"
        loopback_up()


def _opened(config: InitConfig) -> InitConfig:
    """`config` with host paths replaced by /proc/self/fd/N, opened while we still have the caller's uid."""

    def name(path: str, *, exact: bool = False) -> str:
        fd = open_without_links(path) if exact else os.open(path, os.O_PATH | os.O_CLOEXEC)
        return f"/proc/self/fd/{fd}"

    def opened(step: Step) -> Step:
        if not isinstance(step, Bind) or step.fd >= 0:
            return step
        try:
            return step._replace(host_path=name(step.host_path, exact=step.exact), exact=False)
        except FileNotFoundError:
            return step  # applying the step will say so

    root = config.root
    lower = tuple(name(path) for path in root.lower) if root.driver == "directory" else root.lower
    plan = [opened(step) for step in config.plan]
    return config._replace(plan=plan, root=root._replace(path=name(root.path), lower=lower))


def _mount_root(config: InitConfig, channel: Channel, progress: Progress) -> int:
    progress.step = f"mount the root ({config.root.driver})"
    if config.root.driver != "fuse-overlayfs":
        return rootfs.mount_root(config.root)
    # Its daemon must not be a process of the container: the supervisor starts it and passes us the mount.
    return rootfs.attach_root(config.root, channel.expect("rootfs").fds[0])
