"""From our Python to the container's command, by way of a small program in sealed memory.

A command is checked (command.py) and executed afterwards, by its name: scripts and programs see the name they
were called by. In between a container that runs already may put a link to /proc/self/exe in its place, or write
one into the "#!" line of a script: /proc/self/exe is then the executing program. If that is Python, the container
can overwrite the host's file (CVE-2019-5736); so it is a sealed copy of helpers/exec.c. That program can be
traced: it has every right that the command has and no other, and the filter is loaded before it. So from its
start on its channel carries what the container sends (sync.py). Hot path.
"""

from __future__ import annotations

import errno
import os

from rootless.errors import RootlessError
from rootless.linux.terminal import pts_number
from rootless.record import TYPE_CHECKING
from rootless.runtime.process import command
from rootless.runtime.process.memfd import open_sealed

if TYPE_CHECKING:
    from typing import Any, NoReturn

    from rootless.runtime.process.credentials import Filter
    from rootless.runtime.sync import Channel, Message

_MAX_ERRNO = 4096  # the kernel's


def open_exec_helper(process: dict[str, Any]) -> int:
    """Open the program that `exec_sealed` takes while the host's paths can be seen. Returns its descriptor, the
    caller's, or -1 where Python executes the command itself: the administrator forbids executable memory
    (vm.memfd_noexec=2), or SELinux confines the command: a policy leads into a label by a file of the image, and
    a process with that label writes to no file of the host."""
    if selinux_enforces(process):
        return -1
    try:
        return open_sealed("exec")
    except PermissionError:
        return -1


def selinux_enforces(process: dict[str, Any]) -> bool:
    """Whether `process` is to have an SELinux label on a host where that is more than a remark in a log."""
    if not process.get("selinuxLabel"):
        return False
    try:
        with open("/sys/fs/selinux/enforce", "rb", buffering=0) as file:
            return file.read() == b"1"
    except FileNotFoundError:
        return False


def keep_channel(program: int, channel: Channel) -> None:
    """Let the program have the channel: before the filter, which may forbid what that takes (ioctl(2))."""
    if program >= 0:
        os.set_inheritable(channel.fileno(), True)


def exec_sealed(
    program: int,
    channel: Channel | None,
    path: str,
    arguments: list[str],
    environment: dict[str, str],
    *,
    seccomp: Filter,
) -> NoReturn:
    """Execute the command at `path`; all other descriptors are marked to be closed, and `keep_channel` has been.

    An error of the execution is a message "refused" for `executed`; without a `channel` text on stderr.
    The filter `seccomp`, loaded by now, must allow execve(2), and need not allow execveat(2).
    """
    if program < 0:
        command.execute(path, arguments, environment)
    report = -1 if channel is None else channel.fileno()
    words = ["rootless-exec", str(report), path, *arguments]
    places: list[int | str] = [program, f"/proc/self/fd/{program}"]
    if seccomp.kills:
        places.reverse()
    for place in places:
        try:
            os.execve(place, words, environment)
        except OSError:
            continue
    command.execute(program, words, environment)


def raise_exec_error(message: Message | None, arguments: list[str]) -> None:
    """Raise the error of a "refused", in Docker's words; nothing where the channel has ended: the command runs.

    The container may have got hold of the process that sent it."""
    if message is None:
        return
    number = message.data["errno"]
    raise command.refused(number if 0 < number < _MAX_ERRNO else errno.EIO, arguments[0])


def terminal_of(message: Message) -> int:
    """The descriptor of a message that brings a terminal, the caller's; RootlessError where it is no master."""
    (master,) = message.fds
    try:
        pts_number(master)
    except OSError:
        os.close(master)
        raise RootlessError("a process of the launch was tampered with: its terminal is none") from None
    return master


def listener_of(message: Message) -> int:
    """The descriptor of a message that brings a filter's listener, the caller's; RootlessError where it is none."""
    (listener,) = message.fds
    if os.readlink(f"/proc/self/fd/{listener}") != "anon_inode:seccomp notify":
        os.close(listener)
        raise RootlessError("a process of the launch was tampered with: its listener is none")
    return listener
