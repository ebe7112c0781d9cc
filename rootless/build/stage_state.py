"""A stage while it is built: what it stands on, which step is next, what the steps so far gave."""

from __future__ import annotations

from typing import NamedTuple

from rootless.build.cache.keys import Key, chain
from rootless.build.plan.sources import StageSource
from rootless.build.plan.steps import StagePlan, Step
from rootless.build.progress.vertices import Vertex
from rootless.storage.images import Image


class StepResult(NamedTuple):
    """`step` names the layer, "" where nothing was changed; `created` is RFC 3339; `key` is the cache record's."""

    step: str
    created: str
    cached: bool
    key: str = ""


class StageState:
    """`layers` (bottom first, diff ids and steps) and `chain` are those of the steps done so far."""

    def __init__(self, plan: StagePlan) -> None:
        self.plan = plan
        self.begun = False
        self.layers: list[str] = []
        self.chain = ""
        self.image: Image | None = None  # the image at the bottom, of this stage or of the one that it stands on
        self.results: list[StepResult] = []
        self.key: Key | None = None  # of the next step, once it is known
        self.vertex: Vertex | None = None  # of the step that is being done

    @property
    def next(self) -> Step | None:
        """The step that is to be done next, or is being done; None at the end, or before the beginning."""
        if not self.begun or len(self.results) == len(self.plan.steps):
            return None
        return self.plan.steps[len(self.results)]

    @property
    def done(self) -> bool:
        return self.begun and self.next is None

    def begin(self, layers: list[str], bottom: str, image: Image | None) -> None:
        self.layers, self.chain, self.image, self.begun = list(layers), bottom, image, True

    def add(self, result: StepResult) -> None:
        """The next step is done."""
        self.results.append(result)
        self.key = self.vertex = None
        if result.step:
            self.layers.append(result.step)
            self.chain = chain(self.chain, result.step)


def lineage(stages: dict[int, StageState], target: int) -> list[StageState]:
    """The stages whose layers the target's image has, the bottom one first."""
    found = [stages[target]]
    while isinstance(found[-1].plan.base, StageSource):
        found.append(stages[found[-1].plan.base.number])
    return found[::-1]


def needed_by(stages: dict[int, StageState], target: int) -> dict[int, StageState]:
    """The stages that the target needs, and itself, by number."""
    found: dict[int, StageState] = {}
    pending = [target]
    while pending:
        number = pending.pop()
        if number not in found:
            found[number] = stages[number]
            plan = stages[number].plan
            pending += [one.number for one in (plan.base, *plan.needs) if isinstance(one, StageSource)]
    return dict(sorted(found.items()))
