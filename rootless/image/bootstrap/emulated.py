"""A program as root of many users where the session has one id: in namespaces of its own, its ids answered for by helpers/ids.

What it makes says whose it is while it runs, and its tar streams do. Wants the session joined.
"""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, NamedTuple, NoReturn

from rootless.errors import FAILURES, NotSupported
from rootless.linux.seccomp import (
    SECCOMP_FILTER_FLAG_NEW_LISTENER,
    SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV,
    load_filter,
)
from rootless.runtime import ids, monitor, sync
from rootless.runtime.process.sealed_exec import listener_of
from rootless.storage.store import Store, make_directory

# Of its own: what it mounts is seen by nobody else, and what it starts ends with it.
# mmdebstrap mounts a devpts that is user 5's, who has no id for the kernel: /dev is ours to fill, and to empty before the end.
_FILL_DEV = """\
mkdir -p "$1/dev" && mount -t tmpfs -o mode=755 none "$1/dev" && mkdir "$1/dev/pts" "$1/dev/shm"
mount -t devpts -o noexec,nosuid,mode=620,ptmxmode=666 none "$1/dev/pts" && ln -s pts/ptmx "$1/dev/ptmx"
for name in null zero full random urandom tty; do : >"$1/dev/$name" && mount --bind "/dev/$name" "$1/dev/$name"; done
"""
OPTIONS = ["--skip=chroot/mount/dev", f"--setup-hook={_FILL_DEV}", '--customize-hook=umount -R "$1/dev"']
"""What mmdebstrap needs besides, for a program started so."""
_APART = ["unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child", "--mount-proc", "--"]


class Program(NamedTuple):
    """The running program: what it prints, and its pid, a child of ours that `running` reaps."""

    pid: int
    stdout: IO[bytes]
    stderr: IO[bytes]

    def wait(self) -> int:
        """Wait for its end: its exit status, negative for a signal. Once."""
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def terminate(self) -> None:
        """Ask it to end, where it has not been waited for."""
        os.kill(self.pid, signal.SIGTERM)


def require(store: Store) -> None:
    """NotSupported where this host cannot."""
    try:
        ids.require(cache_dir=store.root + "/seccomp")
    except NotSupported as error:
        raise NotSupported(
            f"a distribution's packages want many users, and you have one id: {error.message}",
            hint="the administrator can give you a range: `usermod --add-subuids 100000-165535 --add-subgids 100000-165535 NAME`",
        ) from None


@contextmanager
def running(store: Store, command: list[str], environment: dict[str, str]) -> Iterator[Program]:
    """Start the program; the caller has one thread. Whoever leaves before its end ends it."""
    filter_ = ids.filter_of("full", cache_dir=store.root + "/seccomp")
    make_directory(store.runtime)
    stdout, stdout_end = os.pipe()
    stderr, stderr_end = os.pipe()
    with tempfile.TemporaryDirectory(prefix="ids-", dir=store.runtime) as run_dir:
        helper = ids.start(monitor.listen(run_dir, ids.SOCKET))
        ours, theirs = sync.pair()
        pid = os.fork()
        if pid == 0:
            _execute([*_APART, *command], environment, filter_.bpf, theirs, (stdout_end, stderr_end))
        try:
            theirs.close()
            for fd in (stdout_end, stderr_end):
                os.close(fd)
            listener = listener_of(ours.expect("ids"))
            try:
                ids.hand_over(run_dir, listener, [0, 0])
            finally:
                os.close(listener)
                ours.close()
            with open(stdout, "rb") as output, open(stderr, "rb") as errors:
                yield Program(pid, output, errors)
        finally:
            # Without it the program's calls fail, and unshare(1) takes all of it along.
            for number in (pid, helper):
                _end(number)


def _end(pid: int) -> None:
    try:
        if os.waitpid(pid, os.WNOHANG) == (0, 0):  # it is ours still: nobody else has its number
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
    except ChildProcessError:
        pass  # it has been waited for


def _execute(
    command: list[str], environment: dict[str, str], bpf: bytes, channel: sync.Channel, outputs: tuple[int, int]
) -> NoReturn:
    """In the child: load the filter, hand over its listener and execute. The exec waits until somebody answers for it."""
    try:
        null = os.open(os.devnull, os.O_RDONLY)
        for fd, target in ((null, 0), (outputs[0], 1), (outputs[1], 2)):
            os.dup2(fd, target)
        listener = load_filter(bpf, SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV)
        channel.send("ids", {"ids": [0, 0]}, (listener,))
        os.execvpe(command[0], command, environment)
    except FAILURES as error:
        channel.send_error(error, step=f"execute {command[0]}")
    finally:
        os._exit(127)
