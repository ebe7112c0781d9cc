"""A plan, run: as many steps at once as its graph allows, each in a process of its own.

Processes, not threads: the engine forks at every start, and a process of several threads may not join a namespace. What a
step says crosses as data. Steps that need nothing of the kernel but a moment are done here.
"""

from __future__ import annotations

import gc
import json
import os
import select
import signal
import sys
from collections.abc import Callable
from typing import Any, NamedTuple, NoReturn

from rootless.compose.converge.apply import Context, apply
from rootless.compose.plan.steps import WORDS, Step
from rootless.errors import FAILURES, RootlessError, raise_data, to_data
from rootless.linux import process

AT_ONCE = 16
ALONE = {"build"}
"""What shows a progress of its own on the screen: one at a time."""


class Report(NamedTuple):
    """What became of a step: `word` is Docker Compose's (Creating, Created, Error)."""

    step: Step
    word: str
    done: bool = False
    error: RootlessError | None = None


class _Worker(NamedTuple):
    step: Step
    pid: int
    fd: int
    text: bytearray


class Executor:
    """Runs one list of steps. `tell` is called in this process, for the beginning and the end of each; `tick`, where there is one,
    every tenth of a second. `stderr_fd`, where it is one, is what steps but builds have as stderr."""

    def __init__(
        self, context: Context, tell: Callable[[Report], None], *, at_once: int = 0, tick: Callable[[], None] | None = None,
        stderr_fd: int = -1,
    ) -> None:  # fmt: skip
        self._context, self._tell = context, tell
        self._tick, self._stderr_fd = tick, stderr_fd
        self._at_once = at_once if at_once > 0 else AT_ONCE
        self._workers: dict[int, _Worker] = {}
        self._left: dict[str, Step] = {}
        self._errors: list[RootlessError] = []

    def run(self, steps: list[Step]) -> None:
        """Do them all. After the first failure nothing more is begun; what is under way is finished. The first error is raised."""
        self._left = {step.key: step for step in steps}
        poller = select.poll()
        try:
            while self._left or self._workers:
                self._begin(poller)
                if not self._workers and not self._left:
                    break
                if not self._workers:
                    self._break_circle()
                    continue
                for fd, _ in poller.poll(None if self._tick is None else 100):
                    self._read(fd, poller)
                if self._tick is not None:
                    self._tick()
        except BaseException:
            self._end_all()
            raise
        if self._errors:
            raise self._errors[0]

    def _begin(self, poller: select.poll) -> None:
        if self._errors:
            self._left.clear()
            self._interrupt_waits()
            return
        begun = True
        while begun:
            begun = False
            busy = {worker.step.key for worker in self._workers.values()}
            for key, step in list(self._left.items()):
                if any(other in self._left or other in busy for other in step.after):
                    continue
                if step.action == "note":
                    del self._left[key]
                    self._tell(Report(step, "Running", done=True))
                    begun = True
                    continue
                at_work = [one for one in self._workers.values() if one.step.action != "wait"]
                if step.action != "wait" and len(at_work) >= self._at_once:
                    return
                if step.action in ALONE and any(one.step.action in ALONE for one in at_work):
                    continue
                del self._left[key]
                self._tell(Report(step, WORDS[step.action][0]))
                worker = self._fork(step)
                self._workers[worker.fd] = worker
                busy.add(key)
                poller.register(worker.fd, select.POLLIN)

    def _break_circle(self) -> None:
        """Steps that wait for one another, by the labels of containers of different days perhaps, are done all the same."""
        key, step = next(iter(self._left.items()))
        self._left[key] = step._replace(after=())

    def _fork(self, step: Step) -> _Worker:
        sys.stdout.flush()
        sys.stderr.flush()
        ours, theirs = os.pipe2(os.O_CLOEXEC)
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            os.close(ours)
            if self._stderr_fd >= 0 and step.action not in ALONE:
                os.dup2(self._stderr_fd, 2)
            _work(self._context, step, theirs, parent)
        os.close(theirs)
        return _Worker(step, pid, ours, bytearray())

    def _read(self, fd: int, poller: select.poll) -> None:
        worker = self._workers[fd]
        data = os.read(fd, 65536)
        worker.text.extend(data)
        if data and not data.endswith(b"\n"):
            return
        # Not its end of file: what the step has left behind, a monitor or a sync, may hold the pipe.
        poller.unregister(fd)
        os.close(fd)
        del self._workers[fd]
        os.waitpid(worker.pid, 0)
        try:
            found: dict[str, Any] = json.loads(bytes(worker.text))
        except ValueError:
            found = {"error": {"kind": "RootlessError", "message": f"{worker.step.subject}: its process ended before it was done"}}
        if "error" not in found:
            self._tell(Report(worker.step, found.get("word") or WORDS[worker.step.action][1], done=True))
            return
        try:
            raise_data(found["error"])
        except RootlessError as error:
            if self._errors and worker.step.action == "wait":
                return  # it was called off
            self._tell(Report(worker.step, "Error", done=True, error=error))
            if not worker.step.optional:
                self._errors.append(error)

    def _interrupt_waits(self) -> None:
        for worker in self._workers.values():
            if worker.step.action == "wait":
                _end(worker.pid)

    def _end_all(self) -> None:
        for worker in self._workers.values():
            _end(worker.pid)
        for worker in self._workers.values():
            os.waitpid(worker.pid, 0)
            os.close(worker.fd)
        self._workers.clear()


def _end(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGTERM)
    except ProcessLookupError:
        pass


def _work(context: Context, step: Step, to_parent: int, parent: int) -> NoReturn:
    """In the child: the step, and its outcome to the parent."""
    status = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # of the terminal: who asked for the plan decides
        process.set_pdeathsig(signal.SIGTERM)
        if os.getppid() != parent:
            os._exit(1)
        gc.disable()
        outcome: dict[str, Any]
        try:
            outcome = {"word": apply(context, step)}
            status = 0
        except FAILURES as error:
            if os.environ.get("ROOTLESS_DEBUG"):
                import traceback

                traceback.print_exception(error)
            account = getattr(error, "account", "")
            if account:
                sys.stderr.write(account)
            outcome = {"error": to_data(error, step=f"{step.subject}")}
        sys.stdout.flush()
        sys.stderr.flush()
        data = json.dumps(outcome).encode() + b"\n"
        while data:
            data = data[os.write(to_parent, data) :]
    except OSError:
        pass  # the parent is gone
    finally:
        os._exit(status)
