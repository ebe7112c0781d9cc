"""What the rules find in a Dockerfile: --check, and the warnings of a build."""

from __future__ import annotations

from rootless.build.dockerfile.error import excerpt
from rootless.build.dockerfile.instructions import Dockerfile, LintWarning
from rootless.build.dockerfile.lint.linter import parse_options
from rootless.build.failure import BuildFailed
from rootless.build.plan.graph import make_graph
from rootless.build.plan.request import PlanRequest
from rootless.build.planning import stages
from rootless.words import plain


def findings(dockerfile: Dockerfile, request: PlanRequest) -> list[LintWarning]:
    """What the rules say of all stages; no image is looked at, nothing is run."""
    graph = make_graph(dockerfile, request, every_stage=True)
    plans = stages(graph, lambda _source: None)
    found = [*dockerfile.warnings, *graph.warnings, *(one for plan in plans.values() for one in plan.warnings)]
    return sorted(set(found), key=lambda one: (one.first, one.rule))


def report(dockerfile: Dockerfile, warnings: list[LintWarning]) -> str:
    """Each finding with its lines, and how many there are, as docker build --check prints them."""
    text = ""
    for warning in warnings:
        text += f"\nWARNING: {warning.rule}" + (f" - {warning.url}" if warning.url else "") + f"\n{plain(warning.detail)}\n"
        text += excerpt(dockerfile.file, dockerfile.lines, warning.first, warning.last)
    if not warnings:
        return "Check complete, no warnings found.\n"
    count = f"{len(warnings)} warning has" if len(warnings) == 1 else f"{len(warnings)} warnings have"
    return f"Check complete, {count} been found!\n{text}"


def summary(warnings: list[LintWarning]) -> str:
    """The same in a line each, after a build."""
    count = "1 warning" if len(warnings) == 1 else f"{len(warnings)} warnings"
    lines = "".join(f"\n - {one.rule}: {plain(one.detail)} (line {one.first})" for one in warnings)
    return f" {count} found (use --check to see where):{lines}"


def refuse(dockerfile: Dockerfile, warnings: list[LintWarning]) -> None:
    """`# check=error=true`: a finding is a failure."""
    if warnings and parse_options(dockerfile.directives.check).error:
        rules = ", ".join(sorted({one.rule for one in warnings}))
        raise BuildFailed(f"lint violation found for rules: {rules}", account=report(dockerfile, warnings))
