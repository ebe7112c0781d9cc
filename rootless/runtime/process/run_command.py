"""The last third of an init's set-up, and of an exec process's: from root in the container to its command.

Runs in the container's root, in the process that executes the command. The order is one for both:

    become_process    user, rlimits, security label, streams, ids, working directory, command
    execute_command   descriptors, confinement, exec

In between an init waits for `start`. What reads the image (its passwd, its directories, its command) does
so in the container's root and, but for the user, with the ids that the command will have. Hot path.
"""

from __future__ import annotations

import errno
import os

from rootless.linux import signal
from rootless.linux.process import set_pdeathsig
from rootless.linux.seccomp import (
    SECCOMP_FILTER_FLAG_NEW_LISTENER,
    SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV,
    load_filter,
)
from rootless.record import TYPE_CHECKING, Record
from rootless.runtime import ids
from rootless.runtime.process import credentials, terminal
from rootless.runtime.process.command import execute, find_command, read_environment
from rootless.runtime.process.passwd import User
from rootless.runtime.process.sealed_exec import exec_sealed, keep_channel

if TYPE_CHECKING:
    from typing import Any, NoReturn

    from rootless.runtime.process.capabilities import Capabilities
    from rootless.runtime.sync import Channel

# Python ignores SIGPIPE and SIGXFSZ, and what is ignored or blocked survives exec.
_RESET = (
    signal.SIGPIPE, signal.SIGXFSZ, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGCHLD,
    signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU, signal.SIGUSR1, signal.SIGUSR2,
)  # fmt: skip


class Progress:
    """What a process of the launch does now, for the error that may come of it. A step lasts until the next."""

    def __init__(self, step: str) -> None:
        self.step = step
        self.channel: Channel | None = None  # where errors go from now on, once that is not the first channel


class Command(Record):
    """The container's command, found and checked: `path` is the file that arguments[0] means; "" where the init program
    has no command to start. `user` is who it runs as, for itself; for the kernel, too, unless ids are emulated."""

    path: str
    arguments: list[str]
    environment: dict[str, str]
    user: User


class Confinement(Record):
    """What the command may do: `scopes` are LANDLOCK_SCOPE_*."""

    capabilities: Capabilities
    seccomp: credentials.Filter
    scopes: int = 0
    ids: ids.IdFilter = ids.IdFilter()


def reset_signals() -> None:
    """Default actions and nothing blocked, as a new program expects."""
    for number in _RESET:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def become_process(
    process: dict[str, Any],
    progress: Progress,
    *,
    stdio: tuple[int, int, int] | None,
    terminal_fd: int,
    keep_owner: bool = False,
    pause: bool = False,
    emulated: bool = False,
) -> Command:
    """Become the user of `process` (an OCI process object) with its limits, label and streams: `stdio`, given to the
    user unless it is to `keep_owner`, or where that is None the terminal whose slave is `terminal_fd`. Returns the command,
    found as that user; with `pause`
    there is none in the container: the words are the init program's own. With `emulated` ids it stays root for the
    kernel.

    The caller is root of the container and in its root. RootlessError or OSError.
    """
    progress.step = "user"
    user = credentials.resolve_user(process)
    real = User(0, 0, (), user.home, user.keeps_groups) if emulated else user
    progress.step = "rlimits"
    credentials.set_rlimits(process)
    progress.step = "security label"
    credentials.set_label(process)
    progress.step = "standard input and output"
    if stdio is None:
        terminal.use_terminal(terminal_fd, uid=real.uid)
    else:
        terminal.use_pipes(stdio, uid=0 if keep_owner else real.uid)
    progress.step = "become the user"
    credentials.become(real, umask=(process.get("user") or {}).get("umask"))
    # A change of uid clears it.
    set_pdeathsig(signal.SIGKILL)
    progress.step = "working directory"
    credentials.change_directory(process.get("cwd") or "/")
    progress.step = "command"
    environment = read_environment(process, home=user.home, uid=user.uid)
    arguments = list(process["args"])
    path = "" if pause else find_command(arguments[0], environment)
    return Command(path, arguments, environment, user)


def execute_command(
    command: Command,
    process: dict[str, Any],
    confinement: Confinement,
    channel: Channel,
    progress: Progress,
    *,
    program: int,
    preserve_fds: int,
    passed_fds: tuple[int, ...] = (),
    init: bool = False,
) -> NoReturn:
    """Confine ourselves and execute the command by way of `program` (sealed_exec.open_exec_helper); with `init`,
    `program` is the init program, which starts the command, if there is one. Sends the descriptor of a filter that notifies.

    The command inherits the `preserve_fds` descriptors after stderr and those of `passed_fds`, and nothing else.
    """
    progress.step = "close descriptors"
    credentials.close_all_but_stdio(preserve=preserve_fds)
    for fd in passed_fds:
        os.set_inheritable(fd, True)
    if not init:
        # Before the filter, which may forbid it.
        keep_channel(program, channel)
    progress.step = "confine"
    user, filter_ = command.user, confinement.ids

    def emulate() -> None:
        if not filter_.asks:
            load_filter(filter_.bpf)
            return
        try:
            asked = load_filter(filter_.bpf, SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV)
        except OSError as error:
            if error.errno == errno.EINVAL:
                raise ids.too_old() from None
            if error.errno == errno.EBUSY:
                raise ids.twice() from None
            raise
        # From here to the exec no id is asked for: nobody would answer before the descriptor is where it is to go.
        channel.send("ids", {"ids": [user.uid, user.gid, *user.groups]}, (asked,))

    listener = credentials.confine(
        process, confinement.capabilities, confinement.seccomp, confinement.scopes, emulate if filter_.bpf else None
    )
    if listener >= 0:
        channel.send("seccomp", {}, (listener,))
    progress.step = "exec"
    if init:
        words = ["rootless-init", "--", command.path, *command.arguments[1:]] if command.path else command.arguments
        execute(program, words, command.environment)
    exec_sealed(program, channel, command.path, command.arguments, command.environment, seccomp=confinement.seccomp)
