"""`build`: a Dockerfile and a context become an image of the store, or what else was asked for."""

from __future__ import annotations

import os
from contextlib import ExitStack
from typing import NamedTuple

from rootless.build import base_images, definition, outputs
from rootless.build.cache import upkeep
from rootless.build.cache.explain import Trace
from rootless.build.cache.keys import Key
from rootless.build.contexts import Contexts
from rootless.build.coordinator import Coordinator, StepFailed
from rootless.build.dockerfile.error import DockerfileError
from rootless.build.dockerfile.instructions import Dockerfile
from rootless.build.dockerfile.parse import parse
from rootless.build.emulation import emulated
from rootless.build.executor import StepExecutor
from rootless.build.failure import BuildFailed, of_step
from rootless.build.plan.graph import bases_of, make_graph
from rootless.build.plan.request import PlanRequest
from rootless.build.plan.sources import ImageSource, StageSource
from rootless.build.plan.stage import plan_stage
from rootless.build.plan.steps import StagePlan, Step
from rootless.build.progress.vertices import Progress
from rootless.build.request import BuildRequest
from rootless.build.source_trees import SourceTrees
from rootless.build.stage_state import StageState
from rootless.errors import NotSupported
from rootless.image import platforms
from rootless.session import session
from rootless.storage.images import Image
from rootless.storage.layers import steps
from rootless.storage.store import Store


class Result(NamedTuple):
    """`image` is None where none was asked for."""

    image: Image | None


def build(store: Store, request: BuildRequest, progress: Progress) -> Result:
    """Build what `request` says; joins the session. BuildFailed, with an account, where a step or the Dockerfile
    fails, another RootlessError where the request does. Whatever happens, nothing is left running, and what was done
    is in the cache."""
    names = outputs.check(request)
    try:
        found = definition.read(request, progress)
        session.join()
        with store.lease():
            steps.sweep(store)
            result, did = _build(store, request, names, found, progress)
    finally:
        progress.close()
    if did:
        upkeep.in_background(store)
    return result


def _build(
    store: Store, request: BuildRequest, names: list[str], found: definition.Definition, progress: Progress
) -> tuple[Result, bool]:
    """The result, and whether anything was done that was not in the cache."""
    try:
        dockerfile = parse(found.data, file=found.name, syntax=request.build_args.get("BUILDKIT_SYNTAX", ""))
        plans, target, images = _plan(store, request, dockerfile, progress)
    except DockerfileError as error:
        raise BuildFailed(error.message, hint=error.hint, account=error.excerpt()) from None
    trace = Trace(store, f"{found.path or found.directory}\0{request.target}")
    coordinator = Coordinator(
        store,
        plans,
        target,
        images,
        progress,
        give_diff_ids=outputs.wants_image(request),
        missed=_Missed(trace, progress, explain=request.explain),
        jobs=request.jobs,
    )
    with ExitStack() as stack:
        stack.enter_context(emulated(plans.values()))
        contexts = stack.enter_context(Contexts(store, found.directory, found.ignore_files, progress))
        trees = stack.enter_context(SourceTrees(store, coordinator.stages, images, contexts))
        try:
            lineage = coordinator.run(StepExecutor(store, request, trees))
        except StepFailed as failed:
            raise of_step(failed.error, failed.vertex, failed.step, dockerfile) from None
        trace.write()
        image = outputs.write(store, request, names, lineage, coordinator.diff_ids, progress)
    return Result(image), coordinator.did_something


class _Missed:
    """Notes the keys of all steps, and says why one was not in the cache where that was asked."""

    def __init__(self, trace: Trace, progress: Progress, *, explain: bool) -> None:
        self._trace = trace
        self._progress = progress
        self._explain = explain

    def __call__(self, state: StageState, step: Step, key: Key, *, cached: bool) -> None:
        place = state.plan.number, len(state.results), step.place.name
        self._trace.note(*place, key)
        if self._explain and not cached:
            reason = "the cache is not used" if step.place.no_cache else self._trace.reason(*place, key)
            self._progress.warning(f"{step.place.name}: {reason}")


def _plan(
    store: Store, request: BuildRequest, dockerfile: Dockerfile, progress: Progress
) -> tuple[dict[int, StagePlan], int, dict[ImageSource, Image]]:
    """The plans of the stages that the target needs, and all images that they start from or read."""
    host = str(platforms.host())
    asked = request.platforms or [os.environ.get("DOCKER_DEFAULT_PLATFORM", "") or host]
    if len(asked) > 1:
        raise NotSupported("an image for several platforms is not built at once yet", hint="--platform, one at a time")
    graph = make_graph(
        dockerfile,
        PlanRequest(
            platform=str(platforms.parse(asked[0])),
            build_platform=host,
            build_args=request.build_args,
            contexts=request.contexts,
            target=request.target,
            labels=request.labels,
            no_cache=request.no_cache,
            no_cache_filter=request.no_cache_filter,
            network=request.network,
        ),
    )
    images: dict[ImageSource, Image] = {}

    def resolve(source: ImageSource) -> Image:
        if source not in images:
            images[source] = base_images.resolve(store, source, request.pull, progress, tls_verify=request.tls_verify)
        return images[source]

    for source in bases_of(graph):
        if not isinstance(source, ImageSource):
            raise NotSupported("FROM a context is not supported yet", hint="--build-context NAME=docker-image://IMAGE")
        resolve(source)
    plans: dict[int, StagePlan] = {}
    waiting = sorted(graph.reachable, reverse=True)
    while waiting:
        number = waiting.pop()
        if number in plans:
            continue
        node = graph.nodes[number]
        base = node.replaced or node.base
        # A trigger of a base may want a stage that nothing else does; what a stage starts from comes before it.
        if isinstance(base, StageSource) and base.number not in plans:
            waiting += [number, base.number]
            continue
        parent = plans[base.number] if isinstance(base, StageSource) else None
        document = resolve(base).config if isinstance(base, ImageSource) else None
        plan = plans[number] = plan_stage(graph, number, image=document, parent=parent)
        waiting += [need.number for need in plan.needs if isinstance(need, StageSource)]
    for plan in plans.values():
        for need in plan.needs:
            if isinstance(need, ImageSource):
                resolve(need)
    return plans, graph.target, images
