"""What ends the service: signals, as a descriptor for the front's loop."""

from __future__ import annotations

import signal
import socket

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Ends:
    """What tells the front to end: SIGTERM, SIGINT and SIGHUP, from when this is made. `fd` becomes readable then."""

    def __init__(self) -> None:
        self._wake, self._waker = socket.socketpair()
        self._waker.setblocking(False)
        self.fd = self._wake.fileno()
        signal.set_wakeup_fd(self._waker.fileno(), warn_on_full_buffer=False)
        for number in SIGNALS:
            signal.signal(number, lambda *_: None)

    def forget(self) -> None:
        """In a child: signals are its own again."""
        signal.set_wakeup_fd(-1)
        for number in SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        self._wake.close()
        self._waker.close()
