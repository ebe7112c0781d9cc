"""`run` and `exec` with a terminal and nobody else to hold it: ours is made the container's."""

from __future__ import annotations

import os
import select
import signal
import termios
import tty

from rootless.linux.terminal import set_window_size, window_size


def relay(master: int, pid: int) -> int:
    """Copy between our standard streams and the terminal until `pid`, our child, ends; its wait status."""
    saved = termios.tcgetattr(0) if os.isatty(0) else None
    resize = signal.signal(signal.SIGWINCH, lambda *_: _resize(master))
    try:
        if saved is not None:
            tty.setraw(0)
        _resize(master)
        return _copy(master, pid)
    finally:
        signal.signal(signal.SIGWINCH, resize)
        if saved is not None:
            termios.tcsetattr(0, termios.TCSADRAIN, saved)


def _resize(master: int) -> None:
    try:
        rows, columns = window_size(0)
        if rows and columns:
            set_window_size(master, rows=rows, columns=columns)
    except OSError:
        pass  # our stdin is no terminal, or the container's is gone


def _copy(master: int, pid: int) -> int:
    pidfd = os.pidfd_open(pid)
    poll = select.poll()
    for fd in (master, 0, pidfd):
        poll.register(fd, select.POLLIN)
    status: int | None = None
    try:
        while status is None or _readable(master):
            ready = [fd for fd, _ in poll.poll(None if status is None else 0)] if status is None else [master]
            if master in ready and not _pass(master, 1):
                break
            if 0 in ready and not _pass(0, master):
                poll.unregister(0)
            if pidfd in ready and status is None:
                status = os.waitpid(pid, 0)[1]
    finally:
        os.close(pidfd)
    return os.waitpid(pid, 0)[1] if status is None else status


def _readable(fd: int) -> bool:
    return bool(select.select([fd], [], [], 0)[0])


def _pass(source: int, target: int) -> bool:
    """Copy what is there; False at the end."""
    try:
        block = os.read(source, 65536)
    except OSError:  # EIO: nobody has the terminal's other side open any more
        return False
    while block:
        written = os.write(target, block)
        block = block[written:]
        if not block:
            return True
    return False
