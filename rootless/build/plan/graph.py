"""Which stages there are, what each starts from, and which of them the target needs."""

from __future__ import annotations

from rootless.build.dockerfile import mounts
from rootless.build.dockerfile.error import DockerfileError
from rootless.build.dockerfile.instructions import (
    Copy,
    Dockerfile,
    Instruction,
    LintWarning,
    Origin,
    Run,
    Stage,
)
from rootless.build.dockerfile.lint.linter import Linter
from rootless.build.dockerfile.suggest import did_you_mean
from rootless.build.plan import bases, scope
from rootless.build.plan.contexts import named_source, source_of_name
from rootless.build.plan.controls import controls
from rootless.build.plan.epoch import Epoch, resolve
from rootless.build.plan.request import PlanRequest
from rootless.build.plan.sources import ContextSource, ImageSource, Source, StageSource
from rootless.record import Record


class Node(Record):
    """A stage among the others. `base` is what it starts from; a named context that replaces it stands in `replaced`."""

    number: int
    stage: Stage
    display: (
        str  # its name in vertices: of AS, or stage-N; "" where the file has one stage and no other source
    )
    platform: str
    base: Source
    replaced: Source | None
    needs: tuple[Source, ...]  # what its instructions copy from and mount, each once
    no_cache: bool
    base_word: str  # FROM's word, expanded


class Graph(Record):
    """All stages, and what is known before any base is."""

    dockerfile: Dockerfile
    request: PlanRequest
    arguments: dict[str, str]  # global: automatic ones and ARGs before the first FROM
    nodes: tuple[Node, ...]
    names: dict[str, int]  # of stages, lower case
    target: int
    reachable: frozenset[int]
    epoch: Epoch
    warnings: tuple[LintWarning, ...] = ()


def make_graph(dockerfile: Dockerfile, request: PlanRequest, *, every_stage: bool = False) -> Graph:
    """Resolve names of stages, contexts and images, and follow them from the target (`every_stage`: to all).

    Raises DockerfileError, located: a target that does not exist, stages that need each other, empty names.
    """
    try:
        return _make(dockerfile, request, every_stage)
    except DockerfileError as error:
        raise error.locate(dockerfile.file, dockerfile.lines) from None


def bases_of(graph: Graph) -> tuple[Source, ...]:
    """The images and contexts that reachable stages start from, each once: their configurations are needed to plan."""
    found: dict[Source, None] = {}
    for number in sorted(graph.reachable):
        node = graph.nodes[number]
        source = node.replaced or node.base
        if isinstance(source, ImageSource | ContextSource):
            found[source] = None
    return tuple(found)


def _make(dockerfile: Dockerfile, request: PlanRequest, every_stage: bool) -> Graph:
    linter = Linter(dockerfile.directives, options=controls(request.build_args).check)
    arguments = scope.global_arguments(dockerfile, request)
    epoch = resolve(dockerfile, request, arguments)
    arguments = epoch.arguments
    bases.check_defaults(dockerfile, request, linter)
    names: dict[str, int] = {}
    begun: list[tuple[Stage, str, str, Source, Source | None]] = []
    for number, stage in enumerate(dockerfile.stages):
        word, platform = bases.words_of(stage.base, dockerfile, arguments, linter)
        replaced = (
            named_source(stage.base.name, platform or request.platform, request) if stage.base.name else None
        )
        if word in names:
            base: Source = StageSource(names[word])
            platform = begun[names[word]][2]
        else:
            platform = platform or request.platform
            base = source_of_name(word, platform, request)
        begun.append((stage, word, platform, base, replaced))
        if stage.base.name:
            names[stage.base.name] = number
    target = _target(dockerfile, request, names)
    nodes = _nodes(begun, names, request)
    _refuse_circles(nodes)
    reachable = frozenset(range(len(nodes))) if every_stage else _reachable(nodes, target)
    for number in sorted(reachable):
        _refuse_later_stages(nodes[number])
    return Graph(
        dockerfile, request, arguments, nodes, names, target, reachable, epoch, tuple(linter.warnings)
    )


def _target(dockerfile: Dockerfile, request: PlanRequest, names: dict[str, int]) -> int:
    if not request.target:
        return len(dockerfile.stages) - 1
    found = names.get(request.target.lower())
    if found is None:
        raise DockerfileError(
            f'target stage "{request.target}" could not be found{did_you_mean(request.target, names, any_case=True)}'
        )
    return found


def _nodes(
    begun: list[tuple[Stage, str, str, Source, Source | None]], names: dict[str, int], request: PlanRequest
) -> tuple[Node, ...]:
    needs = [
        tuple(
            dict.fromkeys(
                source
                for instruction in stage.instructions
                for source in sources_of(instruction, names, len(begun), request)
            )
        )
        for stage, *_ in begun
    ]
    # BuildKit counts the images that are copied from as stages, and leaves the name out where there is one.
    alone = len(begun) == 1 and not any(
        isinstance(source, ImageSource | ContextSource) for source in needs[0]
    )
    skipped = {name.lower() for name in request.no_cache_filter}
    nodes = []
    for number, (stage, word, platform, base, replaced) in enumerate(begun):
        display = "" if alone else stage.base.name or f"stage-{number}"
        no_cache = request.no_cache or (bool(stage.base.name) and stage.base.name in skipped)
        needed = () if replaced else needs[number]
        nodes.append(Node(number, stage, display, platform, base, replaced, needed, no_cache, word))
    return tuple(nodes)


def sources_of(
    instruction: Instruction, names: dict[str, int], count: int, request: PlanRequest
) -> list[Source]:
    """What a COPY --from or the mounts of a RUN read, besides the build context.

    Images are those of the target's platform, whatever FROM --platform the stage has.
    """
    try:
        if isinstance(instruction, Copy) and instruction.from_:
            return [from_source(instruction.from_, names, count, request)]
        if isinstance(instruction, Run):
            words = [word for mount in instruction.mounts if (word := _from_word(mount))]
            return [from_source(word, names, count, request, by_number=False) for word in words]
    except DockerfileError as error:
        raise at(error, instruction.origin) from None
    return []


def _from_word(mount: str) -> str:
    """The stage or image that a mount reads; what type it is may depend on variables, but not from where."""
    word = kind = ""
    for field in mounts.fields(mount):
        key, _, value = field.partition("=")
        if key.lower() == "from":
            word = value
        elif key.lower() == "type":
            kind = value.lower()
    return "" if kind in ("tmpfs", "secret", "ssh") else word


def from_source(
    word: str, names: dict[str, int], count: int, request: PlanRequest, *, by_number: bool = True
) -> Source:
    """A stage by name or number, else a named context, else an image."""
    if "$" in word[:-1]:
        raise DockerfileError(
            "variable expansion is not supported for --from, define a new stage with FROM using ARG from global scope"
            " as a workaround"
        )
    if by_number and word.isascii() and word.isdigit():
        if len(word) > 9 or int(word) >= count:
            raise DockerfileError(f"invalid stage index {word}")
        return StageSource(int(word))
    if word.lower() in names:
        return StageSource(names[word.lower()])
    return source_of_name(word, request.platform, request)


def at(error: DockerfileError, origin: Origin) -> DockerfileError:
    """The same error, with the lines of the instruction where it has none."""
    if error.first:
        return error
    return DockerfileError(error.message, first=origin.first, last=origin.last, hint=error.hint)


def stage_needs(node: Node) -> list[int]:
    """Numbers of the stages that a stage reads or starts from."""
    if node.replaced:
        return []
    return [source.number for source in (node.base, *node.needs) if isinstance(source, StageSource)]


def _reachable(nodes: tuple[Node, ...], target: int) -> frozenset[int]:
    found: set[int] = set()
    pending = [target]
    while pending:
        number = pending.pop()
        if number not in found:
            found.add(number)
            pending += stage_needs(nodes[number])
    return frozenset(found)


def _refuse_circles(nodes: tuple[Node, ...]) -> None:
    """A stage that needs itself, by way of others; depth first, without recursion, for there may be thousands."""
    done: set[int] = set()
    for start in range(len(nodes)):
        path: dict[int, None] = {}
        pending = [(start, False)]
        while pending:
            number, leaving = pending.pop()
            if leaving:
                path.pop(number)
                done.add(number)
                continue
            if number in path:
                origin = nodes[number].stage.base.origin
                name = nodes[number].stage.base.name or f"stage-{number}"
                message = f"circular dependency detected on stage: {name}"
                raise DockerfileError(message, first=origin.first, last=origin.last)
            if number not in done:
                path[number] = None
                pending.append((number, True))
                pending += [(need, False) for need in stage_needs(nodes[number])]


def _refuse_later_stages(node: Node) -> None:
    for source in node.needs:
        if isinstance(source, StageSource) and source.number >= node.number:
            raise later_stage(node, source)


def later_stage(node: Node, source: StageSource) -> DockerfileError:
    """The error of what reads a stage that comes below it; of the first instruction that may have done so."""
    origin = node.stage.base.origin
    word = str(source.number)
    kind = "copy"
    for instruction in node.stage.instructions:
        if isinstance(instruction, Copy) and instruction.from_:
            origin, word = instruction.origin, instruction.from_
        elif isinstance(instruction, Run) and any(map(_from_word, instruction.mounts)):
            kind = "mount"
            origin, word = instruction.origin, next(filter(None, map(_from_word, instruction.mounts)))
    current = node.stage.base.name or f"stage-{node.number}"
    message = f'cannot {kind} from stage "{word}", it needs to be defined before current stage "{current}"'
    return DockerfileError(message, first=origin.first, last=origin.last)
