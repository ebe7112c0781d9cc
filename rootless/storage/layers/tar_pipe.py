"""A tar that is unpacked while it is written: the writer is a process of its own, nothing lies between."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn

from rootless import errors
from rootless.errors import RootlessError
from rootless.linux import process
from rootless.storage.layers.write_tar import Sink

Write = Callable[[Sink], object]


class TarPipe:
    """The reading end, for layers.add; `total` are the bytes read."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.total = 0

    def read(self, size: int, /) -> bytes:
        data = os.read(self._descriptor, size)
        self.total += len(data)
        return data


@contextmanager
def written_by(write: Write, *, step: str) -> Iterator[TarPipe]:
    """The tar that `write` writes, in a forked process. Its error, which names `step`, is raised at the end, or
    instead of that of the reader, who then saw half a tar. Call single-threaded."""
    reading, writing = os.pipe2(os.O_CLOEXEC)
    failing, failed = os.pipe2(os.O_CLOEXEC)
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        os.close(failing)
        _write(write, writing, failed, parent, step)
    os.close(writing)
    os.close(failed)
    try:
        yield TarPipe(reading)
    finally:
        os.close(reading)
        with os.fdopen(failing, "rb") as file:
            text = file.read()
        _, status = os.waitpid(pid, 0)
        if text:
            errors.raise_data(json.loads(text))
        if status and sys.exception() is None:
            raise RootlessError(f"{step}: writing the files ended unexpectedly", hint="was there enough memory?")


def _write(write: Write, writing: int, failed: int, parent: int, step: str) -> NoReturn:
    """The writer: never returns."""
    code = 1
    try:
        process.set_pdeathsig(signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)
        try:
            with os.fdopen(writing, "wb", buffering=1 << 20) as out:
                write(out)
            code = 0
        except BrokenPipeError:
            pass  # the reader has its own error
        except (RootlessError, OSError) as error:
            os.write(failed, json.dumps(errors.to_data(error, step=step)).encode())
    finally:
        os._exit(code)
