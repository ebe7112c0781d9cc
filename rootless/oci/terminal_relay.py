"""`run` and `exec` with a terminal and no console socket: our own terminal is relayed to the container's."""

from __future__ import annotations

import os
import select
import signal
import termios
import tty

from rootless.linux.terminal import set_window_size, window_size
from rootless.runtime import child


def relay(master: int, pid: int, pidfd: int) -> int:
    """Copy between our standard streams and the terminal until our child ends; its wait status, as child.reap."""
    saved = termios.tcgetattr(0) if os.isatty(0) else None
    resize = signal.signal(signal.SIGWINCH, lambda *_: _resize(master))
    try:
        if saved is not None:
            tty.setraw(0)
        _resize(master)
        return _copy(master, pid, pidfd)
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


def _copy(master: int, pid: int, pidfd: int) -> int:
    poll = select.poll()
    for fd in (master, 0, pidfd):
        poll.register(fd, select.POLLIN)
    last = b"\n"
    typed = -1  # what the terminal's mode was when its end was typed last
    with child.Arrivals() as arrivals:
        poll.register(arrivals.fd, select.POLLIN)
        child.look_after(pid)
        ended = False
        while not ended:
            ready = [fd for fd, _ in poll.poll()]
            if arrivals.fd in ready:
                arrivals.clear()
                child.look_after(pid)
            if master in ready:
                if not _pass(master, 1):
                    poll.unregister(master)
                elif not last:
                    # A shell that reads letter by letter is only now ready to; its prompt shows it.
                    typed = _end_of_file(master, typed=typed)
            if 0 in ready:
                block = _pass(0, master)
                if not block:
                    poll.unregister(0)
                    typed = _end_of_file(master, after=last)
                last = block[-1:]
            ended = pidfd in ready
    while _readable(master) and _pass(master, 1):
        pass
    return child.reap(pid, pidfd)


def _readable(fd: int) -> bool:
    return bool(select.select([fd], [], [], 0)[0])


def _end_of_file(master: int, *, after: bytes = b"\n", typed: int = -1) -> int:
    """Type what ends a terminal's input, unless it was `typed` in this mode of the terminal, which is returned. Who
    reads by lines takes it twice after a line without an end; who reads by letters takes it for what it is."""
    try:
        modes = termios.tcgetattr(master)
        mode: int = modes[3] & termios.ICANON
        if mode != typed:
            os.write(master, modes[6][termios.VEOF] * (1 if after == b"\n" or not mode else 2))
        return mode
    except (OSError, termios.error):
        return typed  # no process has the terminal's other side open any more


def _pass(source: int, target: int) -> bytes:
    """Copy what is there, and return it; b"" at the end."""
    try:
        block = os.read(source, 65536)
    except OSError:  # EIO: no process has the terminal's other side open any more
        return b""
    rest = block
    while rest:
        rest = rest[os.write(target, rest) :]
    return block
