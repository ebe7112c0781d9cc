"""`--call=check|outline|targets`: what a build would be told of its Dockerfile, without building."""

from __future__ import annotations

from rootless.build.dockerfile.error import DockerfileError
from rootless.build.dockerfile.expand import expand
from rootless.build.dockerfile.instructions import Arg, Dockerfile, LintWarning
from rootless.build.dockerfile.lint.casing import description
from rootless.build.dockerfile.parse import parse
from rootless.build.plan.controls import controls
from rootless.build.plan.graph import Graph, make_graph
from rootless.build.plan.request import PlanRequest
from rootless.build.plan.steps import RunStep, StagePlan
from rootless.build.plan.whole import DocumentOf, Plan, all_warnings, lint_failure, plan_stages
from rootless.record import TYPE_CHECKING, Record

if TYPE_CHECKING:
    from collections.abc import Callable


class Check(Record):
    """What the rules say of all stages, or of the target's; `error` where the file is not one to build."""

    warnings: tuple[LintWarning, ...]
    error: DockerfileError | None = None


def check(
    data: bytes | str,
    request: PlanRequest,
    document_of: DocumentOf,
    *,
    file: str = "Dockerfile",
    ignored: Callable[[str], bool] | None = None,
) -> Check:
    """Look at a Dockerfile; raises nothing that the file is to blame for. Exit status 1 where there is any finding."""
    warnings: tuple[LintWarning, ...] = ()
    try:
        said = controls(request.build_args)
        dockerfile = parse(data, file=file, syntax=said.syntax, check=said.check)
        warnings = dockerfile.warnings
        graph = make_graph(dockerfile, request, every_stage=not request.target)
        stages = plan_stages(graph, document_of)
    except DockerfileError as error:
        return Check(warnings, error)
    warnings = all_warnings(graph, stages, ignored)
    return Check(warnings, lint_failure(graph, warnings))


class Target(Record):
    """A stage that --target may name."""

    name: str
    default: bool
    description: str
    base: str
    platform: str
    first: int
    last: int


def targets(dockerfile: Dockerfile) -> tuple[Target, ...]:
    """All stages, the last being the default."""
    last = len(dockerfile.stages) - 1
    return tuple(
        Target(
            base.name,
            number == last,
            description(base.origin.comment, base.name),
            base.image,
            base.platform,
            base.origin.first,
            base.origin.last,
        )
        for number, (base, _) in enumerate(dockerfile.stages)
    )


class Parameter(Record):
    """An argument with its value and description, or a secret, an ssh agent, a cache."""

    name: str
    first: int
    last: int
    value: str = ""
    description: str = ""
    required: bool = False


class Outline(Record):
    """What the target can be given."""

    name: str
    description: str
    arguments: tuple[Parameter, ...]
    secrets: tuple[Parameter, ...]
    ssh: tuple[Parameter, ...]
    caches: tuple[Parameter, ...]


def outline(graph: Graph, plan: Plan) -> Outline:
    """Of the stages that the target needs; each name once, by line."""
    base = graph.dockerfile.stages[graph.target].base
    return Outline(
        base.name,
        description(base.origin.comment, base.name),
        _sorted(_arguments(graph, plan)),
        _sorted(_mounts(plan, "secret")),
        _sorted(_mounts(plan, "ssh")),
        _sorted(_mounts(plan, "cache")),
    )


def _sorted(found: dict[str, Parameter]) -> tuple[Parameter, ...]:
    return tuple(sorted(found.values(), key=lambda parameter: (parameter.first, parameter.name)))


def _mounts(plan: Plan, kind: str) -> dict[str, Parameter]:
    found: dict[str, Parameter] = {}
    for stage in plan.stages.values():
        for step in stage.steps:
            for mount in step.mounts if isinstance(step, RunStep) else ():
                if mount.type == kind:
                    place = step.place
                    found.setdefault(
                        mount.id, Parameter(mount.id, place.first, place.last, required=mount.required)
                    )
    return found


def _arguments(graph: Graph, plan: Plan) -> dict[str, Parameter]:
    """Those that stages declare, and the global ones that FROM or such a declaration uses."""
    global_ = _global(graph)
    used: set[str] = set()
    found: dict[str, Parameter] = {}
    for number, stage in plan.stages.items():
        base, instructions = graph.dockerfile.stages[number]
        used |= _used(graph, base.image) | _used(graph, base.platform)
        for instruction in instructions if not graph.nodes[number].replaced else ():
            if isinstance(instruction, Arg):
                _declared(graph, stage, instruction, used, found)
    pending = list(used)
    while pending:
        name = pending.pop()
        if name in global_ and name not in found:
            argument, default = global_[name]
            found[name] = _parameter(argument, name, graph.arguments.get(name, ""))
            pending += _used(graph, default or "")
    return found


def _global(graph: Graph) -> dict[str, tuple[Arg, str | None]]:
    return {
        name: (argument, default)
        for argument in graph.dockerfile.globals
        for name, default in argument.arguments
    }


def _declared(
    graph: Graph, stage: StagePlan, argument: Arg, used: set[str], found: dict[str, Parameter]
) -> None:
    for name, default in argument.arguments:
        if default is None and name not in graph.request.build_args and name in graph.arguments:
            used.add(name)
        else:
            value = stage.scope.arguments.get(name, "") if stage.scope else ""
            found.setdefault(name, _parameter(argument, name, value))


def _parameter(argument: Arg, name: str, value: str) -> Parameter:
    origin = argument.origin
    return Parameter(name, origin.first, origin.last, value, description(origin.comment, name))


def _used(graph: Graph, text: str) -> frozenset[str]:
    try:
        return expand(text, graph.arguments, escape=graph.dockerfile.directives.escape).used
    except DockerfileError:
        return frozenset()
