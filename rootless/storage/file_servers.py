"""File systems that a server keeps: which one a path is on, and what can be done where its server refuses or does not answer.

Who waits for a server that does not answer is in the kernel until it does, where no signal that has a handler reaches it. So it
is another process that asks whether it answers, or that says for whom we wait.
"""

from __future__ import annotations

import errno
import os
import select
from collections.abc import Callable, Iterable
from functools import partial
from typing import NamedTuple

from rootless.errors import path_of
from rootless.linux import process, signal
from rootless.linux.filesystem import SERVED
from rootless.words import plain

ANSWER_S = 5
"""How long a server may take before that is said."""
_answered: set[str] = set()


class MountedAt(NamedTuple):
    """A mount: where it is, the type of the file system, and what is mounted: of NFS server:/directory."""

    point: str
    kind: str
    source: str = ""

    def __str__(self) -> str:
        return f"{self.point} ({self.kind})"

    @property
    def served(self) -> str:
        """For people, where a server keeps it; "" for a local one. The server's address is in it, as far as mountinfo tells."""
        if self.kind in SERVED:
            return f"{self.point} ({self.kind}, {self.source})"
        return str(self) if self.kind.startswith("fuse.") else ""


def refusing(error: OSError, path: str = "") -> str | None:
    """What can be done where a server refuses what is the user's own: an export that was withdrawn and a ticket that has expired
    are no stale handles, but EACCES. None where it is another error, or `error`, or else `path`, names nothing that a server keeps."""
    path = path_of(error) or path
    mount = mount_of(path) if path and error.errno in (errno.EACCES, errno.EPERM) else None
    if mount is None or not mount.served:
        return None
    return (
        f"the server of {mount.served} says so; where the directory is yours (`ls -ld`), `klist` shows whether a Kerberos ticket has "
        f"expired, else the administrator has to export it to this machine again, or to mount {mount.point} again"
    )


def wait_for(directory: str) -> None:
    """Ask the server of `directory` for it, once in this process, and wait as long as it takes; where that is long a line on stderr says
    for whom, and Ctrl-C ends us. To be called before anything is looked up there. Nothing in a process with threads."""
    if directory in _answered or len(os.listdir("/proc/self/task")) > 1:
        return
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        _tell_later(reading, directory)
    os.close(reading)
    interrupt = signal.getsignal(signal.SIGINT)
    if callable(interrupt):
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # fatal, it ends the wait in the kernel; a handler would never be called
    try:
        _open(directory)
    except OSError:
        pass  # whoever looks for something in it says so
    finally:
        if callable(interrupt):
            signal.signal(signal.SIGINT, interrupt)
        os.close(writing)
        _reap(pid)
    _answered.add(directory)


def _tell_later(reading: int, directory: str) -> None:
    """The other process of wait_for; ends with it, whatever ends it: what is read from is closed then."""
    try:
        os.dup2(reading, 0)
        os.close(1)  # nobody who waits for the end of our output is to wait for this
        process.close_range(3, 0xFFFFFFFF)
        poll = select.poll()
        poll.register(0, select.POLLIN)
        if not poll.poll(ANSWER_S * 1000):
            mount = mount_of(directory, follow=False)
            where = (mount.served or str(mount)) if mount else directory
            text = (
                f"rootless: waiting for the server of {plain(where)}, which has not answered for {ANSWER_S} s\n"
                "hint: Ctrl-C ends the wait; containers that run need no server for `ps`, `exec`, `logs`, `stop` and `rm`\n"
            )
            os.write(2, text.encode(errors="replace"))
    finally:
        os._exit(0)


def ask(look: Callable[[], object], seconds: float = ANSWER_S) -> int | None:
    """Have another process `look` at something: 0, or the number of the OSError that it raised; None where that takes longer."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            # Nobody who waits for the end of our output is to wait for this.
            os.dup2(writing, 0)
            process.close_range(1, 0xFFFFFFFF)
            number = 0
            try:
                look()
            except OSError as error:
                number = error.errno or errno.EIO
            os.write(0, str(number).encode())
        finally:
            os._exit(0)
    os.close(writing)
    try:
        poll = select.poll()
        poll.register(reading, select.POLLIN)
        if not poll.poll(seconds * 1000):
            os.kill(pid, signal.SIGKILL)  # some file systems heed it; not waited for
            return None
        said = os.read(reading, 200)
    finally:
        os.close(reading)
    _reap(pid)
    return int(said) if said.isdigit() else errno.EIO


def silent(paths: Iterable[str]) -> str:
    """The first of the file systems of these paths whose server does not answer, for people; "" where all do."""
    mounts = dict.fromkeys(mount for path in paths if (mount := mount_of(path, follow=False)))
    return next((mount.served for mount in mounts if mount.served and ask(partial(_open, mount.point)) is None), "")


def _open(directory: str) -> None:
    os.close(os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))


def _reap(pid: int) -> None:
    try:
        os.waitpid(pid, 0)
    except ChildProcessError:
        pass  # who started us ignores SIGCHLD


def mount_of(path: str, *, follow: bool = True) -> MountedAt | None:
    """The mount that `path` is on, by its name once links are followed: a file system without a server answers no other question, and
    one whose server hangs not even that (`follow` False). None where /proc does not tell."""
    path = os.path.realpath(path) if follow else os.path.normpath(path)
    best: MountedAt | None = None
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as lines:
            for line in lines:
                fields, _, rest = line.partition(" - ")
                point = _unescaped(fields.split(" ")[4])
                inside = path == point or path.startswith(point.rstrip("/") + "/")
                if inside and (best is None or len(point) >= len(best.point)):  # of two in one place the later is above
                    kind, source = rest.split(" ")[:2]
                    best = MountedAt(point, kind, _unescaped(source))
    except (OSError, ValueError, IndexError):
        return None
    return best


def _unescaped(text: str) -> str:
    """proc_pid_mountinfo(5): blank, tab, newline and backslash are octal numbers."""
    for escaped, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        text = text.replace(escaped, character)
    return text
