"""A step in a forked process: what it reports comes over a pipe, and it ends with whoever started it.

The coordinator is one thread that has joined the session and waits for all workers at once (`select.poll`). A
worker is killed with SIGTERM, by the coordinator or by the kernel where that has died, and then ends what it has
started; SIGKILL ends it, its monitor and its container, by the kernel's order, too.

A frame of the pipe is one byte of kind, four of length, and so many.
"""

from __future__ import annotations

import os
import signal
import struct
import sys
from collections.abc import Callable
from typing import Any, NamedTuple, NoReturn

from rootless import errors, interrupts, jsontext
from rootless.errors import FAILURES, RootlessError
from rootless.linux import process

STDOUT, STDERR, STATUS, RESULT, ERROR = b"o", b"e", b"s", b"r", b"x"
_HEADER = struct.Struct("=cI")
_READ = 1 << 16


class Terminated(BaseException):
    """The worker was told to end; what it has begun is to be ended by those whom this passes."""


class Reporter:
    """The worker's end of the pipe."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def log(self, data: bytes, *, error: bool = False) -> None:
        """Output of the step's command."""
        self._send(STDERR if error else STDOUT, data)

    def status(self, name: str, **fields: Any) -> None:
        """A part of the step that has a name of its own, as `transferring context`: see progress/vertices.py."""
        self._send(STATUS, jsontext.dumps({"name": name, **fields}).encode())

    def _send(self, kind: bytes, data: bytes) -> None:
        view = memoryview(_HEADER.pack(kind, len(data)) + data)
        while view:
            view = view[os.write(self._fd, view) :]

    def result(self, value: Any) -> None:
        self._send(RESULT, jsontext.dumps(value).encode())

    def error(self, error: BaseException, step: str) -> None:
        data = errors.to_data(error, step=step)
        self._send(ERROR, jsontext.dumps({**data, "exit_code": getattr(error, "exit_code", 1)}).encode())


class Frame(NamedTuple):
    kind: bytes
    data: bytes

    def json(self) -> Any:
        return jsontext.loads(self.data)


class Worker:
    """A running worker, for its coordinator: `fd` is readable when it has reported something or has ended."""

    def __init__(self, pid: int, fd: int, name: str) -> None:
        self.pid, self.fd, self.name = pid, fd, name
        self._pending = bytearray()
        self._answered = False

    def read(self) -> list[Frame] | None:
        """What can be read now, whole frames; None at the end. RootlessError where it ended without an answer."""
        data = os.read(self.fd, _READ)
        if not data:
            self._reap()
            return None
        self._pending += data
        found = []
        while len(self._pending) >= _HEADER.size:
            kind, length = _HEADER.unpack_from(self._pending)
            if len(self._pending) < _HEADER.size + length:
                break
            found.append(Frame(kind, bytes(self._pending[_HEADER.size : _HEADER.size + length])))
            del self._pending[: _HEADER.size + length]
            self._answered = self._answered or kind in (RESULT, ERROR)
        return found

    def _reap(self) -> None:
        os.close(self.fd)
        self.fd = -1
        _, status = os.waitpid(self.pid, 0)
        self.pid = -1
        if not self._answered:
            code = os.waitstatus_to_exitcode(status)
            how = f"killed by signal {-code}" if code < 0 else f"status {code}"
            raise RootlessError(
                f"{self.name} ended unexpectedly ({how})",
                hint="was there enough memory? `dmesg` may say so; the steps that were done are kept, try again",
            )

    def terminate(self) -> None:
        """Ask it to end; `wait` waits for that."""
        if self.pid > 0:
            os.kill(self.pid, signal.SIGTERM)

    def wait(self) -> None:
        """Throw away what it still reports, until it has ended."""
        while self.pid > 0:
            try:
                self.read()
            except RootlessError:
                return


def start(name: str, action: Callable[[Reporter], Any]) -> Worker:
    """Call `action` in a forked process; its result, which must be JSON, or its error is the last frame.

    The caller is single-threaded and has joined the session.
    """
    reading, writing = os.pipe2(os.O_CLOEXEC)
    sys.stdout.flush()
    sys.stderr.flush()
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        _work(name, action, Reporter(writing), parent)
    os.close(writing)
    return Worker(pid, reading, name)


def _work(name: str, action: Callable[[Reporter], Any], report: Reporter, parent: int) -> NoReturn:
    """The child: never returns."""
    code = 1
    try:
        interrupts.raise_again(Terminated, _terminated)
        signal.signal(signal.SIGTERM, _terminated)
        process.set_pdeathsig(signal.SIGTERM)
        if os.getppid() != parent:
            os._exit(1)
        # Ctrl-C goes to the whole process group; the coordinator decides what becomes of us.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            report.result(action(report))
            code = 0
        except FAILURES as error:
            report.error(error, name)
            code = 0
    except (Terminated, BrokenPipeError):
        pass  # nobody waits for an answer any more
    except BaseException:
        sys.excepthook(*sys.exc_info())
        raise
    finally:
        os._exit(code)


def _terminated(_number: int, _frame: object) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise Terminated


def raise_error(frame: Frame) -> NoReturn:
    """Raise the error that an ERROR frame describes."""
    data = frame.json()
    try:
        errors.raise_data(data)
    except RootlessError as error:
        error.exit_code = int(data.get("exit_code") or 1)
        raise
