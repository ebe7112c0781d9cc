"""A whole build: the stages that the target needs, each planned after the one it starts from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rootless.build.dockerfile.error import DockerfileError
from rootless.build.dockerfile.instructions import LintWarning
from rootless.build.dockerfile.lint.linter import failure, parse_options
from rootless.build.plan.controls import controls
from rootless.build.plan.graph import Graph
from rootless.build.plan.sources import ContextSource, ImageSource, StageSource
from rootless.build.plan.stage import plan_stage
from rootless.build.plan.steps import StagePlan
from rootless.record import Record


class Plan(Record):
    """The stages by number, those that the target needs, triggers of bases included; findings of all rules, by line."""

    target: StagePlan
    stages: dict[int, StagePlan]
    warnings: tuple[LintWarning, ...]


def plan_build(
    graph: Graph, document_of: Callable[[ImageSource | ContextSource], dict[str, Any] | None]
) -> Plan:
    """Plan all stages that are needed; `document_of` gives the document of an image that a stage starts from.

    For a context that is no image, and for an image that is not to be looked at, it gives None. It is asked once
    for each stage. Raises DockerfileError; also for findings, where `# check=error=true` wants that.
    """
    stages: dict[int, StagePlan] = {}
    pending = sorted(graph.reachable, reverse=True)
    while pending:
        number = pending[-1]
        if number in stages:
            pending.pop()
            continue
        node = graph.nodes[number]
        base = node.replaced or node.base
        if isinstance(base, StageSource) and base.number not in stages:
            pending.append(base.number)
            continue
        image = document_of(base) if isinstance(base, ImageSource | ContextSource) else None
        parent = stages[base.number] if isinstance(base, StageSource) else None
        stages[number] = plan_stage(graph, number, image=image, parent=parent)
        # A trigger may need a stage that nothing else does.
        pending[-1:] = [
            source.number
            for source in stages[number].needs
            if isinstance(source, StageSource) and source.number not in stages
        ]
    warnings = all_warnings(graph, stages)
    _fail(graph, warnings)
    return Plan(stages[graph.target], stages, warnings)


def all_warnings(graph: Graph, stages: dict[int, StagePlan]) -> tuple[LintWarning, ...]:
    """Of the file, the names and the stages; each once, by line."""
    found = [*graph.dockerfile.warnings, *graph.warnings]
    for plan in stages.values():
        found += plan.warnings
    return tuple(sorted(dict.fromkeys(found), key=lambda warning: (warning.first, warning.rule)))


def _fail(graph: Graph, warnings: tuple[LintWarning, ...]) -> None:
    directives = graph.dockerfile.directives
    text = controls(graph.request.build_args).check
    options = parse_options(directives.check if text is None else text)
    error: DockerfileError | None = failure(options, warnings)
    if error:
        raise error.locate(graph.dockerfile.file, graph.dockerfile.lines)
