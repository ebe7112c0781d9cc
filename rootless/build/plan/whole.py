"""A whole build: the stages that the target needs, each planned after the one it starts from."""

from __future__ import annotations

import posixpath
from collections.abc import Callable
from typing import Any

from rootless.build.dockerfile.error import DockerfileError
from rootless.build.dockerfile.instructions import LintWarning
from rootless.build.dockerfile.lint.linter import Linter, failure, parse_options
from rootless.build.plan.controls import controls
from rootless.build.plan.graph import Graph
from rootless.build.plan.sources import CONTEXT, ContextSource, ImageSource, StageSource
from rootless.build.plan.stage import plan_stage
from rootless.build.plan.steps import CopyStep, PathSource, StagePlan
from rootless.record import Record


class Plan(Record):
    """The stages by number, those that the target needs, triggers of bases included; findings of all rules, by line."""

    target: StagePlan
    stages: dict[int, StagePlan]
    warnings: tuple[LintWarning, ...]


DocumentOf = Callable[[ImageSource | ContextSource], "dict[str, Any] | None"]
"""Gives the document of the image that a stage starts from; None for a context that is no image, and for an image
that is not to be looked at (--check)."""


def plan_build(
    graph: Graph, document_of: DocumentOf, *, ignored: Callable[[str], bool] | None = None
) -> Plan:
    """Plan all stages that are needed. `document_of` is asked once for each that starts from an image or context.

    `ignored` says of a path of the build context whether .dockerignore leaves it out; None where it has exceptions,
    or is not there. Raises DockerfileError; also for findings, where `# check=error=true` wants that.
    """
    stages = plan_stages(graph, document_of)
    warnings = all_warnings(graph, stages, ignored)
    error = lint_failure(graph, warnings)
    if error:
        raise error
    return Plan(stages[graph.target], stages, warnings)


def plan_stages(graph: Graph, document_of: DocumentOf) -> dict[int, StagePlan]:
    """The stages by number, whatever is found."""
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
    return stages


def all_warnings(
    graph: Graph, stages: dict[int, StagePlan], ignored: Callable[[str], bool] | None = None
) -> tuple[LintWarning, ...]:
    """Of the file, the names, the stages and what they copy; each once, by line."""
    found = [*graph.dockerfile.warnings, *graph.warnings]
    if ignored:
        found += _ignored_copies(graph, stages, ignored)
    for plan in stages.values():
        found += plan.warnings
    return tuple(sorted(dict.fromkeys(found), key=lambda warning: (warning.first, warning.rule)))


def _ignored_copies(
    graph: Graph, stages: dict[int, StagePlan], ignored: Callable[[str], bool]
) -> list[LintWarning]:
    linter = Linter(graph.dockerfile.directives, options=controls(graph.request.build_args).check)
    for plan in stages.values():
        for step in plan.steps:
            if not isinstance(step, CopyStep):
                continue
            for source in step.sources:
                for pattern in (
                    source.patterns if isinstance(source, PathSource) and source.from_ == CONTEXT else ()
                ):
                    path = posixpath.normpath(pattern).lstrip("/")
                    if path not in ("", ".") and ignored(path):
                        word = "Add" if step.add else "Copy"
                        linter.report("CopyIgnoredFile", step.place.first, step.place.last, word, path)
    return linter.warnings


def lint_failure(graph: Graph, warnings: tuple[LintWarning, ...]) -> DockerfileError | None:
    """The error that `error=true` makes of findings, located."""
    directives = graph.dockerfile.directives
    text = controls(graph.request.build_args).check
    error = failure(parse_options(directives.check if text is None else text), warnings)
    return error.locate(graph.dockerfile.file, graph.dockerfile.lines) if error else None
