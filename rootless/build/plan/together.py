"""The plans of one Dockerfile for several platforms as one graph: stages of all of them, each with a number of its own. Pure."""

from __future__ import annotations

from rootless.build.plan.sources import Source, StageSource
from rootless.build.plan.steps import CopyStep, PathSource, RunStep, StagePlan, Step


def shifted(plan: StagePlan, by: int) -> StagePlan:
    """The same stage, its number and those of all stages that it stands on or reads larger by `by`."""
    if not by:
        return plan
    return plan._replace(
        number=plan.number + by,
        base=_source(plan.base, by),
        steps=tuple(_step(step, by) for step in plan.steps),
        needs=tuple(_source(need, by) for need in plan.needs),
    )


def _step(step: Step, by: int) -> Step:
    if isinstance(step, RunStep):
        mounts = [
            mount if mount.from_ is None else mount._replace(from_=_source(mount.from_, by)) for mount in step.mounts
        ]
        return step._replace(mounts=tuple(mounts))
    if isinstance(step, CopyStep):
        sources = [
            one._replace(from_=_source(one.from_, by)) if isinstance(one, PathSource) else one for one in step.sources
        ]
        return step._replace(sources=tuple(sources))
    return step


def _source(source: Source, by: int) -> Source:
    return StageSource(source.number + by) if isinstance(source, StageSource) else source
