"""Bytes between our own stdin, stdout and stderr and a process entered by `exec`.

The process's ends are pipes, or one terminal; ours may be anything. Never blocks on one side
while the other has something to say. Hot path.
"""

from __future__ import annotations

import errno
import os
import select

from rootless.engine.lifecycle.attach.attach import write_all
from rootless.engine.lifecycle.attach.terminal import DetachKeys
from rootless.record import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any, Protocol

    class OnSignals(Protocol):
        """Acts on the signal numbers read from the wake-up descriptor."""

        def __call__(self, numbers: bytes) -> Any: ...


_READ_SIZE = 65536


class ExecStreams:
    """One relay. Owns none of the descriptors but closes `to_process` at the end of input.

    `outputs` maps a descriptor of the process to one of ours. `ended` is the process's pidfd.
    """

    def __init__(self, *, outputs: dict[int, int], to_process: int, stdin: int | None, ended: int) -> None:
        self.outputs = dict(outputs)
        self.to_process = to_process
        self.stdin = stdin
        self.ended = ended
        self.detach_keys: DetachKeys | None = None
        self.most_bytes: int | None = None  # what is more is read, and passed on to nobody; None: all is
        self.terminal = to_process in outputs
        self._pending = b""
        self._input_over = False

    def run(self, signals: int | None = None, on_signals: OnSignals | None = None) -> bool:
        """Relay until the process has ended and its output is written; False where the user detached."""
        if self.to_process >= 0 and self.stdin is not None:
            os.set_blocking(self.to_process, False)
        while True:
            poller = select.poll()
            poller.register(self.ended, select.POLLIN)
            for fd in self.outputs:
                events = select.POLLIN
                if fd == self.to_process and self._pending:
                    events |= select.POLLOUT
                poller.register(fd, events)
            if self._pending and self.to_process not in self.outputs:
                poller.register(self.to_process, select.POLLOUT)
            if self.stdin is not None and not self._pending:
                poller.register(self.stdin, select.POLLIN)
            if signals is not None:
                poller.register(signals, select.POLLIN)
            for fd, events in poller.poll():
                if fd == signals and on_signals is not None:
                    on_signals(os.read(fd, 64))
                elif fd == self.ended:
                    self._drain()
                    return True
                elif fd == self.stdin:
                    self._read_input()
                    if self.detach_keys is not None and self.detach_keys.matched:
                        return False
                else:
                    if events & select.POLLOUT:
                        self._write_input()
                    if fd in self.outputs and events & (select.POLLIN | select.POLLHUP | select.POLLERR):
                        self._copy(fd)

    def _copy(self, fd: int) -> bool:
        """Copy what can be read; False at its end."""
        try:
            data = os.read(fd, _READ_SIZE)
        except BlockingIOError:
            return False
        except OSError as error:
            if error.errno != errno.EIO:  # EIO: nobody has the terminal open any more
                raise
            data = b""
        if not data:
            del self.outputs[fd]
            return False
        if self.most_bytes is not None:
            data = data[: self.most_bytes]
            self.most_bytes -= len(data)
        write_all(self.outputs[fd], data)
        return True

    def _drain(self) -> None:
        """All that is in the pipes now; a background process may hold them open for ever."""
        for fd in list(self.outputs):
            os.set_blocking(fd, False)
            while fd in self.outputs and self._copy(fd):
                pass

    def _read_input(self) -> None:
        assert self.stdin is not None
        try:
            data = os.read(self.stdin, _READ_SIZE)
        except OSError:
            data = b""
        if data and self.detach_keys is not None:
            data = self.detach_keys.feed(data)
            if not data:
                return
        if data:
            self._pending += data
            self._write_input()
        else:
            self.stdin = None
            self._input_over = True
            self._finish_input()

    def _write_input(self) -> None:
        try:
            written = os.write(self.to_process, self._pending)
        except BlockingIOError:
            return
        except OSError:  # EPIPE, EIO: the process reads no more
            self._pending, self.stdin = b"", None
            self._input_over = True
            self._finish_input()
            return
        self._pending = self._pending[written:]

    def _finish_input(self) -> None:
        """Let the process see the end of its input; a terminal's is a key, and the user's to press."""
        if self._input_over and not self._pending and self.to_process >= 0 and not self.terminal:
            os.close(self.to_process)
            self.to_process = -1
