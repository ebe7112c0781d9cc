"""One stage, whole: planned once the configuration of its base is known."""

from __future__ import annotations

import posixpath
from typing import Any

from rootless.build.dockerfile.error import DockerfileError
from rootless.build.dockerfile.instructions import Copy, Instruction, Run, Workdir
from rootless.build.dockerfile.lint.linter import Linter
from rootless.build.dockerfile.parse import parse_trigger
from rootless.build.plan import image_config
from rootless.build.plan.config_edits import EDITS
from rootless.build.plan.contexts import LAYOUT
from rootless.build.plan.controls import controls
from rootless.build.plan.copies import plan_copy
from rootless.build.plan.graph import Graph, Node, at, later_stage, sources_of
from rootless.build.plan.image_config import History, ImageConfig
from rootless.build.plan.names import full_name
from rootless.build.plan.runs import plan_run
from rootless.build.plan.sources import ContextSource, ImageSource, Scratch, Source, StageSource
from rootless.build.plan.state import StageState
from rootless.build.plan.steps import CopyStep, PathSource, Scope, StagePlan, StepPlace, WorkdirStep

_MOST_TRIGGERS = 1000


def plan_stage(
    graph: Graph, number: int, *, image: dict[str, Any] | None = None, parent: StagePlan | None = None
) -> StagePlan:
    """Plan the stage `number`.

    `parent` is the plan of the stage it starts from; `image` the document of the image it starts from (of a context
    that is no image: None). An image that is not looked at (--check) is None as well: then what it may define is
    not reported as undefined. Raises DockerfileError, located.
    """
    node = graph.nodes[number]
    dockerfile = graph.dockerfile
    try:
        if node.replaced:
            return _replaced(graph, node, image)
        return _plan(graph, node, image, parent)
    except DockerfileError as error:
        raise error.locate(dockerfile.file, dockerfile.lines) from None


def _replaced(graph: Graph, node: Node, image: dict[str, Any] | None) -> StagePlan:
    """A named context stands for the stage: its instructions are not looked at."""
    assert node.replaced
    config = image_config.from_document(image or {})
    scope = Scope(dict(config.env), {}, False, image is not None)
    steps: tuple[CopyStep, ...] = ()
    history: tuple[History, ...] = ()
    if isinstance(node.replaced, ContextSource):
        steps, history = (_root_of_context(node, node.replaced),), (_history_of_context(node),)
    return StagePlan(
        node.number, node.stage.base.name, node.platform, node.replaced, f"[context {node.stage.base.name}]", steps,
        _labelled(graph, node, config._replace(on_build=())), history, (node.replaced,) if steps else (), graph.epoch.seconds, scope,
    )  # fmt: skip


def _root_of_context(node: Node, context: ContextSource) -> CopyStep:
    """A context's content as a root file system: the whole of it, less what its ignore file leaves out, as one layer."""
    origin = node.stage.base.origin
    place = StepPlace(f"[context {context.name}] load from client", origin.first, origin.last, node.no_cache)
    return CopyStep(place, (PathSource(context, ("/",)),), "/")


def _history_of_context(node: Node) -> History:
    return History(f"FROM {node.base_word} # buildkit", empty_layer=False, step=0)


def _plan(graph: Graph, node: Node, image: dict[str, Any] | None, parent: StagePlan | None) -> StagePlan:
    linter = Linter(graph.dockerfile.directives, options=controls(graph.request.build_args).check)
    if isinstance(node.base, StageSource):
        assert parent is not None, "the stage that this one starts from is planned first"
        assert parent.scope is not None
        config, scope, known = parent.config, parent.scope, parent.scope.base_known
    else:
        config, scope = image_config.from_document(image or {}), None
        known = image is not None or not isinstance(node.base, ImageSource)
        _check_platform(node, image, linter)
    triggers = _triggers(node, config)
    state = StageState(graph, node, config, scope, linter, base_known=known)
    state.count(len(triggers))
    base_name = _base_name(state)
    for source in node.needs:
        state.needs[source] = None
    if isinstance(node.base, ContextSource):
        state.needs[node.base] = None
        state.step(_root_of_context(node, node.base), _history_of_context(node).created_by)
    for instruction in (*triggers, *node.stage.instructions):
        _apply(state, instruction)
    return StagePlan(
        node.number,
        node.stage.base.name,
        node.platform,
        node.base,
        base_name,
        tuple(state.steps),
        _labelled(graph, node, state.finished()),
        tuple(state.history),
        tuple(state.needs),
        graph.epoch.seconds,
        Scope(state.variables, state.arguments, state.workdir_set, known),
        tuple(linter.warnings),
    )


def _labelled(graph: Graph, node: Node, config: ImageConfig) -> ImageConfig:
    """--label is of the result alone, and wins."""
    if node.number != graph.target or not graph.request.labels:
        return config
    return config._replace(labels={**config.labels, **graph.request.labels})


def _base_name(state: StageState) -> str:
    base = state.node.base
    if isinstance(base, Scratch | StageSource):
        return f"FROM {state.node.base_word}"
    word = state.node.base_word
    if isinstance(base, ImageSource) and not base.reference.startswith(LAYOUT):
        word = full_name(base.reference)
    return state.vertex(f"FROM {word}")


def _check_platform(node: Node, image: dict[str, Any] | None, linter: Linter) -> None:
    if not image or not image.get("architecture") or not image.get("os"):
        return
    expected = node.platform.split("/")
    if [image["os"], image["architecture"]] != expected[:2]:
        actual = "/".join(filter(None, (image["os"], image["architecture"], image.get("variant") or "")))
        origin = node.stage.base.origin
        linter.report(
            "InvalidBaseImagePlatform", origin.first, origin.last, node.base_word, actual, node.platform
        )


def _triggers(node: Node, config: ImageConfig) -> list[Instruction]:
    """The base's ONBUILD triggers: they come from outside, and their place is the FROM that brought them."""
    if len(config.on_build) > _MOST_TRIGGERS:
        raise at(
            DockerfileError(f"the base has more than {_MOST_TRIGGERS} ONBUILD triggers"),
            node.stage.base.origin,
        )
    return [parse_trigger(trigger, node.stage.base.origin) for trigger in config.on_build]


def _apply(state: StageState, instruction: Instruction) -> None:
    try:
        if instruction.origin.trigger:
            _add_needs(state, instruction)
        if isinstance(instruction, Run):
            plan_run(state, instruction)
        elif isinstance(instruction, Copy):
            plan_copy(state, instruction)
        elif isinstance(instruction, Workdir):
            _workdir(state, instruction)
        else:
            EDITS[type(instruction)](state, instruction)
    except DockerfileError as error:
        raise at(error, instruction.origin) from None


def _add_needs(state: StageState, instruction: Instruction) -> None:
    """What a trigger copies from was not known when the stages were followed."""
    graph = state.graph
    found: list[Source] = sources_of(instruction, graph.names, len(graph.nodes), graph.request)
    for source in found:
        if isinstance(source, StageSource) and source.number >= state.node.number:
            raise later_stage(state.node, source)
        state.needs[source] = None


def _workdir(state: StageState, workdir: Workdir) -> None:
    """The directory is made where it is missing, as the USER's; a relative one is below the last."""
    written = state.word(workdir.path, workdir.origin)
    if not state.workdir_set and not written.startswith("/"):
        state.linter.report("WorkdirRelativePath", workdir.origin.first, workdir.origin.last, written)
    state.workdir_set = True
    path = posixpath.normpath(posixpath.join("/", state.config.workdir, written))
    path = "/" + path.lstrip("/")
    state.config = state.config._replace(workdir=path)
    if path == "/":
        state.metadata(f"WORKDIR {path}")
        return
    place = state.place(workdir.origin, state.shown(workdir.origin.text, keep=False))
    state.step(WorkdirStep(place, path, state.config.user), f"WORKDIR {path}")
