"""Several jobs at once: one forked process each, which reports over a pipe.

A process, not a thread: unpacking and packing are much Python and many small system calls, and would wait for
one interpreter lock. The caller must be single-threaded (it joins the session and forks); threads exist only
inside workers. Workers talk back over a pipe, one JSON object a line, and die with their parent.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
from collections.abc import Callable, Sequence
from typing import Any, Generic, NamedTuple, NoReturn, TypeVar

from rootless import errors
from rootless.errors import RootlessError
from rootless.linux import process

# A thread on the network must not wait Python's usual 5 ms whenever the one that computes does.
_SWITCH_INTERVAL_S = 0.0005

Job = TypeVar("Job")
Message = dict[str, Any]
Send = Callable[[Message], None]


class Jobs(NamedTuple, Generic[Job]):
    """What is to be done, and what is made of it.

    `work` runs in the worker; what it sends, `received` gets in the parent. `ended` is called when the worker
    has ended well. `name` is what an error calls the job.
    """

    work: Callable[[Job, Send], None]
    received: Callable[[Job, Message], None]
    ended: Callable[[Job], None]
    name: Callable[[Job], str]


class _Worker(NamedTuple, Generic[Job]):
    job: Job
    pid: int
    events: int


def run(jobs: Sequence[Job], how: Jobs[Job], *, at_most: int) -> None:
    """Do all `jobs`, in their order, `at_most` at a time. The first error ends all workers and is raised."""
    waiting = list(reversed(jobs))
    running: dict[int, tuple[_Worker[Job], bytearray]] = {}
    poll = select.poll()
    try:
        while waiting or running:
            while waiting and len(running) < at_most:
                worker = _start(waiting.pop(), how)
                running[worker.events] = (worker, bytearray())
                poll.register(worker.events, select.POLLIN)
            for descriptor, _ in poll.poll():
                worker, pending = running[descriptor]
                data = os.read(descriptor, 65536)
                pending += data
                *lines, rest = pending.split(b"\n")
                pending[:] = rest
                for line in lines:
                    message = json.loads(line)
                    if "error" in message:
                        errors.raise_data(message["error"])
                    how.received(worker.job, message)
                if not data:
                    poll.unregister(descriptor)
                    del running[descriptor]
                    _finish(worker, how)
    finally:
        for worker, _ in running.values():
            os.kill(worker.pid, signal.SIGKILL)
        for worker, _ in running.values():
            os.close(worker.events)
            os.waitpid(worker.pid, 0)


def _finish(worker: _Worker[Job], how: Jobs[Job]) -> None:
    os.close(worker.events)
    _, status = os.waitpid(worker.pid, 0)
    code = os.waitstatus_to_exitcode(status)
    if code != 0:
        cause = f"killed by signal {-code}" if code < 0 else f"status {code}"
        raise RootlessError(
            f"the work on {how.name(worker.job)} ended unexpectedly ({cause})",
            hint="was there enough memory? `dmesg` may say so; what was done is kept, try again",
        )
    how.ended(worker.job)


def _start(job: Job, how: Jobs[Job]) -> _Worker[Job]:
    reading, writing = os.pipe2(os.O_CLOEXEC)
    sys.stdout.flush()
    sys.stderr.flush()
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        _work(job, how, writing, parent)
    os.close(writing)
    return _Worker(job, pid, reading)


def _work(job: Job, how: Jobs[Job], events: int, parent: int) -> NoReturn:
    """The child: never returns."""
    code = 1

    def send(message: Message) -> None:
        data = memoryview(json.dumps(message).encode() + b"\n")
        while data:
            data = data[os.write(events, data) :]

    try:
        process.set_pdeathsig(signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)
        # Ctrl-C goes to the whole process group; the parent decides what becomes of us.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        sys.setswitchinterval(_SWITCH_INTERVAL_S)
        try:
            how.work(job, send)
            code = 0
        except (RootlessError, OSError, MemoryError) as error:
            send({"error": errors.to_data(error, step=how.name(job))})
    except BaseException:
        sys.excepthook(*sys.exc_info())
        raise
    finally:
        os._exit(code)
