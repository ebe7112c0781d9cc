"""What the coordinator asks of others about a step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from rootless.build.cache.keys import Key
from rootless.build.execute.workers import Reporter
from rootless.build.plan.sources import Source
from rootless.build.plan.steps import CopyStep, PathSource, RunStep, Step
from rootless.build.stage_state import StageState


class Executor(Protocol):
    """What the coordinator does not know: how a kind of step is keyed and done."""

    def key(self, state: StageState, step: Step) -> Key:
        """What the step's result depends on; its sources are done."""

    def action(self, state: StageState, step: Step) -> Callable[[Reporter], dict[str, Any]]:
        """What a worker does: {"step": the name of the layer}, its key's "parts" where they are others by now, and the
        "digest" of what a copy has written."""

    def wrote(self, state: StageState, step: Step, digest: str) -> None:
        """Told of the copy's before the state has its result."""


class Missed(Protocol):
    """Told of each step whose key is known, before it is begun."""

    def __call__(self, state: StageState, step: Step, key: Key, *, cached: bool) -> None: ...


def sources(step: Step) -> list[Source]:
    """What a step reads besides the layers below it."""
    if isinstance(step, RunStep):
        return [mount.from_ for mount in step.mounts if mount.from_ is not None]
    if isinstance(step, CopyStep):
        return [one.from_ for one in step.sources if isinstance(one, PathSource)]
    return []
