"""A person at a terminal: a command on a real pty, keys sent to it, text awaited, the window resized."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time

TIMEOUT_S = 60.0


class Terminal:
    """A command with a pseudo-terminal as its controlling terminal; close() ends it.

    `screen` is everything it has written so far; `expect` searches what has not been matched yet.
    """

    def __init__(self, argv: list[str], env: dict[str, str], *, rows: int = 24, columns: int = 80) -> None:
        self.screen = ""
        self._matched = 0
        self._status: int | None = None
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            with contextlib.suppress(OSError):
                # The size must stand before the command can ask for it.
                fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
                os.execvpe(argv[0], argv, env)
            os._exit(127)

    def send(self, text: str | bytes) -> None:
        """Type `text`; control keys as their characters (Ctrl-C is "\\x03")."""
        data = text.encode() if isinstance(text, str) else text
        while data:
            data = data[os.write(self.fd, data) :]

    def line(self, text: str) -> None:
        """Type `text` and press Enter."""
        self.send(text + "\r")

    def resize(self, rows: int, columns: int) -> None:
        """Resize the window; the kernel sends SIGWINCH to the foreground process group."""
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def expect(self, pattern: str, *, timeout_s: float = TIMEOUT_S) -> re.Match[str]:
        """Wait for the regular expression in the output after the last match, and return the match."""
        deadline = time.monotonic() + timeout_s
        while True:
            match = re.compile(pattern).search(self.screen, self._matched)
            if match:
                self._matched = match.end()
                return match
            if not self._read(deadline):
                raise AssertionError(f"{pattern!r} did not come; the terminal shows:\n{self.screen}")

    def wait(self, *, timeout_s: float = TIMEOUT_S) -> int:
        """Read to the end; the command's exit status, or 128 + the signal that ended it."""
        deadline = time.monotonic() + timeout_s
        while self._read(deadline):
            pass
        while self._status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self._status = status
            elif time.monotonic() > deadline:
                raise AssertionError(f"did not end; the terminal shows:\n{self.screen}")
            else:
                time.sleep(0.01)
        code = os.waitstatus_to_exitcode(self._status)
        return code if code >= 0 else 128 - code

    def modes(self) -> list[int | list[bytes | int]]:
        """termios attributes of the terminal, to see that they are put back."""
        return termios.tcgetattr(self.fd)

    def close(self) -> None:
        """Hang up, and end the command if that was not enough."""
        with contextlib.suppress(OSError):
            os.close(self.fd)
        if self._status is None:
            deadline = time.monotonic() + 2
            while time.monotonic() < deadline:
                with contextlib.suppress(ChildProcessError):
                    if os.waitpid(self.pid, os.WNOHANG)[0]:
                        return
                    time.sleep(0.02)
                    continue
                return
            with contextlib.suppress(ProcessLookupError, ChildProcessError):
                os.kill(self.pid, signal.SIGKILL)
                os.waitpid(self.pid, 0)

    def _read(self, deadline: float) -> bool:
        """Add what comes next to the screen; False at the end of output or of time."""
        ready, _, _ = select.select([self.fd], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            return False
        try:
            data = os.read(self.fd, 65536)
        except OSError:  # EIO: the last process has closed the terminal
            return False
        self.screen += data.decode(errors="replace")
        return bool(data)
