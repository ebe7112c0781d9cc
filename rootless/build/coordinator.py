"""Does the steps of all stages: as many at once as there are processors, each in a worker, and none twice.

One thread that has joined the session and waits for its workers. Stages go side by side; within one, a step waits
for the one before it. Whatever ends this, its workers end with it, and what was done by then is in the cache.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from rootless.build.asked import Executor, Missed, sources
from rootless.build.cache import keys, records
from rootless.build.cache.keys import Key
from rootless.build.cache.records import CacheRecord
from rootless.build.execute import diff_id, workers
from rootless.build.execute.workers import Reporter
from rootless.build.plan.sources import ImageSource, Source, StageSource
from rootless.build.plan.steps import StagePlan, Step
from rootless.build.progress.vertices import Progress, Vertex
from rootless.build.remotecache.imported import Absent, Imported, Lost
from rootless.build.stage_state import StageState, StepResult, lineage
from rootless.build.worker_pool import StepFailed, WorkerPool
from rootless.engine.options import clock
from rootless.errors import RootlessError
from rootless.storage.images import Image
from rootless.storage.layers.file_times import FileTimes
from rootless.storage.store import Store

T = TypeVar("T")


class Coordinator:
    """One build: `targets` has a stage for each platform. `images` has every base and source that is an image; `times`
    are those of the files in the layers of the images.

    What several stages have in common, on the same files, is done once and shown once: as the first of them calls it.
    """

    def __init__(
        self,
        store: Store,
        plans: dict[int, StagePlan],
        targets: Sequence[int],
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
        self._targets = targets
        self.images = images
        self.diff_ids: dict[str, dict[str, Any]] = {}  # of steps that are layers by now: diff_id.give's answers
        self._progress = progress
        self._give = give_diff_ids
        self._missed = missed
        self._times = times
        self._imported = imported
        self._wants_files = wants_files
        self._fetching: set[str] = set()
        # Of this build's steps, by key and whether the cache was used; None while one is being done.
        self._common: dict[tuple[str, bool], StepResult | None] = {}
        self._bases: set[str] = set()
        self.did_something = False
        self._began = time.time()
        self._pool = WorkerPool(progress)
        self._most = jobs or max(2, os.cpu_count() or 1)

    def run(self, executor: Executor) -> list[list[StageState]]:
        """Do all steps; the lineage of each target. StepFailed at the first step that fails; Lost where an imported
        layer is not to be had: then all is to be begun again without it."""
        try:
            while True:
                self._begin(executor)
                if self._pool.is_empty:
                    break
                self._pool.wait()
        finally:
            self._pool.end()
        assert all(state.done for state in self.stages.values()), "a stage waits for itself"
        return [lineage(self.stages, target) for target in self._targets]

    def _is_of_an_image(self, state: StageState) -> bool:
        return any(state in lineage(self.stages, target) for target in self._targets)

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
        if image and state.plan.base_name not in self._bases:
            self._bases.add(state.plan.base_name)
            self._progress.cached(Vertex(state.plan.base_name))

    def _advance(self, state: StageState, executor: Executor) -> bool:
        """Do the stage's next step if it is in the cache, begin it if it can be: whether it was done."""
        step = state.next
        if step is None or state.vertex is not None or not all(self._is_done(one) for one in sources(step)):
            return False
        is_new = state.key is None
        if state.key is None:
            try:
                state.key = self._ask(step, lambda: executor.key(state, step))
            except Absent as absent:
                self._fetch(absent.steps)
                return False
        name = state.key.hex, step.place.no_cache
        found = self._find(state.key) if is_new and name not in self._common and not step.place.no_cache else None
        if is_new:
            self._missed(state, step, state.key, cached=found is not None or name in self._common)
        if found is not None:
            self._progress.cached(Vertex(step.place.name))
            self._common[name] = StepResult(found.step, found.created, cached=True, key=state.key.hex)
        if name in self._common:
            common = self._common[name]
            if common is not None:
                self._add(state, common)
            return common is not None
        absent_now = self._imported.absent([*state.layers, *self._layers_read(step)])
        if absent_now:
            self._fetch(absent_now)
        elif self._pool.busy < self._most:
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
                if self._give and any(step in state.layers and self._is_of_an_image(state) for state in self.stages.values()):
                    self._begin_diff_id(step)

            self._pool.watch(workers.start(vertex.name, self._imported.fetching(step)), done, vertex, None)

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

    def _start(self, state: StageState, step: Step, key: Key, executor: Executor) -> None:
        act = self._ask(step, lambda: executor.action(state, step))
        self.did_something = True
        state.vertex = Vertex(step.place.name)
        self._progress.start(state.vertex)
        self._common[key.hex, step.place.no_cache] = None
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
                records.write(store, now, step=made["step"], created=created, name=step.place.name, used=began)
                return {"step": made["step"], "created": created, "cached": False, "key": now.hex, "digest": made.get("digest", "")}

        def done(result: dict[str, Any]) -> None:
            assert state.vertex is not None
            if digest := result.pop("digest", ""):
                executor.wrote(state, step, digest)
            if result["cached"]:
                self._progress.cached(state.vertex)
            else:
                self._progress.done(state.vertex)
            self._common[key.hex, step.place.no_cache] = StepResult(**result)
            self._add(state, StepResult(**result))

        self._pool.watch(workers.start(step.place.name, action), done, state.vertex, state)

    def _add(self, state: StageState, result: StepResult) -> None:
        state.add(result)
        if not result.step or not self._is_of_an_image(state):
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

        self._pool.watch(workers.start("exporting layers", lambda _report: diff_id.give(self.store, step, times)), done, None, None)
