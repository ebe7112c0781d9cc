"""The workers of a build, waited for all at once: what they report is shown, their answers go to who asked."""

from __future__ import annotations

import select
from collections.abc import Callable
from typing import Any

from rootless.build.execute import workers
from rootless.build.execute.workers import Worker
from rootless.build.plan.steps import Step
from rootless.build.progress.vertices import Progress, Status, Vertex
from rootless.build.stage_state import StageState
from rootless.errors import RootlessError

_TICK_MS = 200


class StepFailed(Exception):
    """A step could not be done: `error` says why, `vertex` and `step` which."""

    def __init__(self, error: RootlessError, vertex: Vertex, step: Step | None) -> None:
        super().__init__(error.message)
        self.error, self.vertex, self.step = error, vertex, step


class WorkerPool:
    """Whoever begins a worker hands it over; `end` is to be called whatever happens."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._poll = select.poll()
        self._workers: dict[int, tuple[Worker, Callable[[Any], None], Vertex | None, StageState | None]] = {}

    @property
    def is_empty(self) -> bool:
        return not self._workers

    @property
    def busy(self) -> int:
        """How many work at something that is shown."""
        return sum(1 for _, _, vertex, _ in self._workers.values() if vertex is not None)

    def watch(
        self, worker: Worker, done: Callable[[Any], None], vertex: Vertex | None, state: StageState | None
    ) -> None:
        """Let `wait` see to the worker: `done` gets its result, `vertex` shows what it reports; its failure is that of
        the step which `state` is at."""
        self._workers[worker.fd] = (worker, done, vertex, state)
        self._poll.register(worker.fd, select.POLLIN)

    def wait(self) -> None:
        """Take what the workers have to say, once there is something, or nothing for a while. StepFailed."""
        ready = self._poll.poll(_TICK_MS)
        if not ready:
            self._progress.tick()
        for fd, _ in ready:
            worker, done, vertex, state = self._workers[fd]
            step = state.next if state is not None else None
            try:
                frames = worker.read()
                if frames is None:
                    self._poll.unregister(fd)
                    del self._workers[fd]
                    continue
                for frame in frames:
                    self._take(frame, done, vertex)
            except RootlessError as error:
                shown = vertex or Vertex("exporting to image")
                self._progress.failed(shown, error.message)
                raise StepFailed(error, shown, step) from None

    def _take(self, frame: workers.Frame, done: Callable[[Any], None], vertex: Vertex | None) -> None:
        if frame.kind == workers.RESULT:
            done(frame.json())
        elif frame.kind == workers.ERROR:
            workers.raise_error(frame)
        elif vertex is not None and frame.kind == workers.STATUS:
            self._progress.status(vertex, Status(**frame.json()))
        elif vertex is not None:
            self._progress.log(vertex, frame.data, error=frame.kind == workers.STDERR)

    def end(self) -> None:
        """End those that still work, and show that they were ended."""
        for worker, _, _, _ in self._workers.values():
            worker.terminate()
        for worker, _, vertex, _ in self._workers.values():
            worker.wait()
            if vertex is not None and not vertex.completed:
                self._progress.failed(vertex, "CANCELED")
        self._workers.clear()
