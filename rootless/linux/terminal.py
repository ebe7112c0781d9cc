"""Pseudo-terminals (pts(4), ioctl_tty(2)) of a devpts instance that is not ours.

os.openpty() opens /dev/ptmx of the host and finds the slave by name; a container's terminal
comes from its own devpts, by descriptor only. Hot path.
"""

from __future__ import annotations

import fcntl
import os

from rootless.linux import struct

# Numbers, since termios is a library to load, and nobody here needs the rest of it.
_TIOCSCTTY = 0x540E
_TIOCGWINSZ = 0x5413
_TIOCSWINSZ = 0x5414
_TIOCSPTLCK = 0x40045431
_TIOCGPTN = 0x80045430
_TIOCGPTPEER = 0x5441


def open_pair(ptmx_path: str = "/dev/ptmx", *, dir_fd: int | None = None) -> tuple[int, int]:
    """A new terminal: (master, peer), both close-on-exec, neither our controlling terminal.

    The peer comes from the master by TIOCGPTPEER, so no path in a container is trusted.
    """
    master = os.open(ptmx_path, os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC, dir_fd=dir_fd)
    try:
        fcntl.ioctl(master, _TIOCSPTLCK, struct.pack("i", 0))
        peer = fcntl.ioctl(master, _TIOCGPTPEER, os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    except BaseException:
        os.close(master)
        raise
    return master, peer


def pts_number(master: int) -> int:
    """TIOCGPTN: N of the terminal's /dev/pts/N in its own devpts."""
    return int.from_bytes(fcntl.ioctl(master, _TIOCGPTN, b"\0" * 4), "little")


def set_window_size(fd: int, *, rows: int, columns: int) -> None:
    """TIOCSWINSZ; the foreground process group gets SIGWINCH if it changed."""
    fcntl.ioctl(fd, _TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def window_size(fd: int) -> tuple[int, int]:
    """TIOCGWINSZ: (rows, columns); (0, 0) where nobody has set them."""
    rows, columns, _, _ = struct.unpack("HHHH", fcntl.ioctl(fd, _TIOCGWINSZ, b"\0" * 8))
    return rows, columns


def set_controlling_terminal(fd: int) -> None:
    """TIOCSCTTY: make `fd` the controlling terminal; we must be a session leader without one."""
    fcntl.ioctl(fd, _TIOCSCTTY, 0)
