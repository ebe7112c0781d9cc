"""A user's terminal joined to a container: raw mode, sizes, signals passed on.

Shared by `run`, `start -a`, `attach` and `exec`. Hot path.
"""

from __future__ import annotations

import os

from rootless.engine.lifecycle.attach import terminal
from rootless.linux import signal
from rootless.record import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

# SIGTSTP, SIGCONT and the like stay ours: Ctrl-Z stops the client, not the container.
_FORWARDED = (
    signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM,
)  # fmt: skip


class Signals:
    """While entered, signals to us become numbers on the descriptor `fd`, and nothing else.

    `on_arrival` resizes the container's terminal for SIGWINCH, looks after children of ours for SIGCHLD and
    passes the others on.
    """

    def __init__(
        self,
        *,
        forward: Callable[[int], object] | None,
        resize: Callable[[int, int], object] | None,
        children: Callable[[], object] | None = None,
    ) -> None:
        self.forward = forward
        self.resize = resize
        self.children = children
        self.fd, self._write = -1, -1
        self._saved: dict[int, object] = {}

    def __enter__(self) -> Signals:
        self.fd, self._write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        numbers = set(_FORWARDED) if self.forward else set()
        if self.resize:
            numbers.add(signal.SIGWINCH)
        if self.children:
            numbers.add(signal.SIGCHLD)
        for number in numbers:
            self._saved[number] = signal.signal(number, _noted)
        if self.children:
            self.children()  # what has been before
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._saved.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
        signal.set_wakeup_fd(-1)
        os.close(self.fd)
        os.close(self._write)

    def on_arrival(self, numbers: bytes) -> None:
        """Act on what was read from `fd`."""
        for number in numbers:
            if number == signal.SIGWINCH:
                if self.resize:
                    self.resize(*terminal.size(_terminal_fd()))
            elif number == signal.SIGCHLD:
                if self.children:
                    self.children()
            elif self.forward:
                self.forward(number)


def _noted(_number: int, _frame: FrameType | None) -> None:
    """Python writes the number to the wake-up descriptor; there is nothing else to do."""


def _terminal_fd() -> int:
    return next((fd for fd in (0, 1, 2) if os.isatty(fd)), 0)


def window() -> tuple[int, int]:
    """Rows and columns of the user's terminal, (0, 0) where there is none."""
    return terminal.size(_terminal_fd())
