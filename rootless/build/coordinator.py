"""Does the steps of all stages: as many at once as there are processors, each in a worker, and none twice.

One thread that has joined the session and waits for its workers. Stages go side by side; within one, a step waits
for the one before it. Whatever ends this, its workers end with it, and what was done by then is in the cache.
"""

from __future__ import annotations

import os
import select
import time
from collections.abc import Callable
from typing import Any, TypeVar

from rootless.build.asked import Executor, Missed, sources
from rootless.build.cache import keys, records
from rootless.build.cache.keys import Key
from rootless.build.cache.records import CacheRecord
from rootless.build.execute import diff_id, workers
from rootless.build.execute.workers import Reporter, Worker
from rootless.build.plan.sources import ImageSource, Source, StageSource
from rootless.build.plan.steps import StagePlan, Step
from rootless.build.progress.vertices import Progress, Status, Vertex
from rootless.build.remotecache.imported import Absent, Imported, Lost
from rootless.build.stage_state import StageState, StepResult, lineage
from rootless.engine.options import clock
from rootless.errors import RootlessError
from rootless.storage.images import Image
from rootless.storage.layers.file_times import FileTimes
from rootless.storage.store import Store

_TICK_MS = 200
T = TypeVar("T")


class StepFailed(Exception):
    """A step could not be done: `error` says why, `vertex` and `step` which."""

    def __init__(self, error: RootlessError, vertex: Vertex, step: Step | None) -> None:
        super().__init__(error.message)
        self.error, self.vertex, self.step = error, vertex, step


class Coordinator:
    """One build for one platform. `images` has every base and source that is an image; `times` are those of the files
    in the layers of the image."""

    def __init__(
        self,
        store: Store,
        plans: dict[int, StagePlan],
        target: int,
        images: dict[ImageSource, Image],
        progress: Progress,
        *,
        give_diff_ids: bool,
        missed: Missed,
        jobs: int = 0,
        times: FileTimes | None = None,
        imported: Imported,
        wants_files: bool = True,
    ) -> None:
        self.store = store
        self.stages = {index: StageState(plan) for index, plan in sorted(plans.items())}
        self.target = target
        self.images = images
        self.diff_ids: dict[str, dict[str, Any]] = {}  # of steps that are layers by now: diff_id.give's answers
        self._progress = progress
        self._give = give_diff_ids
        self._missed = missed
        self._times = times
        self._imported = imported
        self._wants_files = wants_files
        self._fetching: set[str] = set()
        self.did_something = False
        self._began = time.time()
        self._poll = select.poll()
        self._workers: dict[int, tuple[Worker, Callable[[Any], None], Vertex | None, StageState | None]] = {}
        self._most = jobs or max(2, os.cpu_count() or 1)

    def run(self, executor: Executor) -> list[StageState]:
        """Do all steps; the lineage of the target. StepFailed at the first step that fails; Lost where an imported
        layer is not to be had: then all is to be begun again without it."""
        try:
            while True:
                self._begin(executor)
                if not self._workers:
                    break
                self._wait()
        finally:
            self._end_workers()
        assert all(state.done for state in self.stages.values()), "a stage waits for itself"
        return lineage(self.stages, self.target)

    # What can be begun

    def _begin(self, executor: Executor) -> None:
        again = True
        while again:
            again = False
            for state in self.stages.values():
                if not state.begun and self._is_done(state.plan.base):
                    self._begin_stage(state)
                    again = True
                while self._advance(state, executor):
                    again = True

    def _is_done(self, source: Source) -> bool:
        return not isinstance(source, StageSource) or self.stages[source.number].done

    def _begin_stage(self, state: StageState) -> None:
        base = state.plan.base
        if isinstance(base, StageSource):
            below = self.stages[base.number]
            state.begin(below.layers, below.chain, below.image)
            return
        image = self.images[base] if isinstance(base, ImageSource) else None
        diff_ids = list(image.diff_ids) if image else []
        state.begin(diff_ids, keys.base_chain(diff_ids), image)
        if image:
            self._progress.cached(Vertex(state.plan.base_name))

    def _advance(self, state: StageState, executor: Executor) -> bool:
        """Do the stage's next step if it is in the cache, begin it if it can be: whether it was done."""
        step = state.next
        if step is None or state.vertex is not None or not all(self._is_done(one) for one in sources(step)):
            return False
        if state.key is None:
            try:
                state.key = self._ask(step, lambda: executor.key(state, step))
            except Absent as absent:
                self._fetch(absent.steps)
                return False
            found = None if step.place.no_cache else self._find(state.key)
            self._missed(state, step, state.key, cached=found is not None)
            if found is not None:
                self._progress.cached(Vertex(step.place.name))
                self._add(state, StepResult(found.step, found.created, cached=True, key=state.key.hex))
                return True
        absent_now = self._imported.absent([*state.layers, *self._layers_read(step)])
        if absent_now:
            self._fetch(absent_now)
        elif self._busy() < self._most:
            self._start(state, step, state.key, executor)
        return False

    def _find(self, key: Key) -> CacheRecord | None:
        here = records.find(self.store, key.hex, used=self._began, origins=self._imported.origins)
        return here or self._imported.find(key)

    def _layers_read(self, step: Step) -> list[str]:
        """The layers of the stages that the step reads."""
        stages = [self.stages[one.number] for one in sources(step) if isinstance(one, StageSource)]
        return [layer for stage in stages for layer in stage.layers]

    def _fetch(self, wanted: list[str]) -> None:
        """Have the layers fetched that others supply; what waits for them is looked at again when they are here."""
        for step in wanted:
            if step in self._fetching:
                continue
            self._fetching.add(step)
            layer = self._imported.descriptor(step)
            vertex = Vertex(f"importing layer {layer.descriptor.digest}" if layer else "importing a layer")
            if layer is None:
                raise Lost(step, "")
            self._progress.start(vertex)

            def done(reason: str, step: str = step, vertex: Vertex = vertex) -> None:
                if reason:
                    self._progress.failed(vertex, reason)
                    raise Lost(step, reason)
                self._progress.done(vertex)
                self._imported.fetched(step)
                if self._give and any(step in state.layers for state in lineage(self.stages, self.target)):
                    self._begin_diff_id(step)

            self._watch(workers.start(vertex.name, self._imported.fetching(step)), done, vertex, None)

    def _ask(self, step: Step, question: Callable[[], T]) -> T:
        """The executor's answer; what it cannot answer is the step's failure."""
        try:
            return question()
        except (RootlessError, OSError) as error:
            vertex = Vertex(step.place.name)
            vertex.started = time.monotonic()
            told = error if isinstance(error, RootlessError) else RootlessError(str(error))
            self._progress.failed(vertex, told.message)
            raise StepFailed(told, vertex, step) from None

    def _busy(self) -> int:
        return sum(1 for _, _, vertex, _ in self._workers.values() if vertex is not None)

    def _start(self, state: StageState, step: Step, key: Key, executor: Executor) -> None:
        act = self._ask(step, lambda: executor.action(state, step))
        self.did_something = True
        state.vertex = Vertex(step.place.name)
        self._progress.start(state.vertex)
        store, epoch, began = self.store, state.plan.epoch, self._began

        def action(report: Reporter) -> dict[str, Any]:
            with records.doing(store, key.hex):
                if not step.place.no_cache:
                    found = records.find(store, key.hex, used=began)
                    if found is not None:  # another build has done it meanwhile
                        return {"step": found.step, "created": found.created, "cached": True, "key": key.hex}
                made = act(report)
                created = clock.now() if epoch is None else clock.from_nanoseconds(epoch * 1_000_000_000)
                # Where a source has changed meanwhile, the result is of what it was then.
                now = keys.make(made["parts"]) if "parts" in made else key
                records.write(store, now, step=made["step"], created=created, name=step.place.name)
                return {"step": made["step"], "created": created, "cached": False, "key": now.hex}

        def done(result: dict[str, Any]) -> None:
            assert state.vertex is not None
            if result["cached"]:
                self._progress.cached(state.vertex)
            else:
                self._progress.done(state.vertex)
            self._add(state, StepResult(**result))

        self._watch(workers.start(step.place.name, action), done, state.vertex, state)

    def _add(self, state: StageState, result: StepResult) -> None:
        state.add(result)
        if not result.step or state not in lineage(self.stages, self.target):
            return
        if self._imported.absent([result.step]):
            if self._wants_files:
                self._fetch([result.step])
        elif self._give:
            self._begin_diff_id(result.step)

    def _begin_diff_id(self, step: str) -> None:
        if step in self.diff_ids:
            return
        times = self._times
        known = diff_id.known(self.store, step, times)
        layer = diff_id.layer_of(self.store, known) if known else {}
        if layer.get("tar_size"):
            self.diff_ids[step] = layer
            return
        self.diff_ids[step] = {}

        def done(result: dict[str, Any]) -> None:
            self.diff_ids[step] = result

        self._watch(workers.start("exporting layers", lambda _report: diff_id.give(self.store, step, times)), done, None, None)

    # What workers say

    def _watch(
        self, worker: Worker, done: Callable[[Any], None], vertex: Vertex | None, state: StageState | None
    ) -> None:
        self._workers[worker.fd] = (worker, done, vertex, state)
        self._poll.register(worker.fd, select.POLLIN)

    def _wait(self) -> None:
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

    def _end_workers(self) -> None:
        for worker, _, _, _ in self._workers.values():
            worker.terminate()
        for worker, _, vertex, _ in self._workers.values():
            worker.wait()
            if vertex is not None and not vertex.completed:
                self._progress.failed(vertex, "CANCELED")
        self._workers.clear()
