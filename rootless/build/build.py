"""`build`: a Dockerfile and a context become an image of the store, or what else was asked for."""

from __future__ import annotations

import os
from contextlib import ExitStack
from typing import NamedTuple

from rootless.build import definition, outputs, several
from rootless.build.cache import in_use, upkeep
from rootless.build.cache.explain import Trace
from rootless.build.cache.keys import Key
from rootless.build.contexts import Contexts
from rootless.build.coordinator import Coordinator
from rootless.build.dockerfile.error import DockerfileError
from rootless.build.dockerfile.instructions import Dockerfile
from rootless.build.dockerfile.parse import parse
from rootless.build.emulation import emulated, one_user
from rootless.build.entitlements import refused
from rootless.build.executor import StepExecutor
from rootless.build.failure import BuildFailed, of_step
from rootless.build.plan import render_calls
from rootless.build.plan.controls import controls
from rootless.build.plan.sources import ContextSource
from rootless.build.plan.steps import GitSource, HttpSource, Step
from rootless.build.planning import Dated, Planned, plan
from rootless.build.progress.vertices import Progress, Vertex
from rootless.build.remotecache import imported as importing
from rootless.build.remotecache.imported import Built
from rootless.build.request import BuildRequest
from rootless.build.secrets import authorization
from rootless.build.source_trees import SourceTrees
from rootless.build.ssh import sources as agents
from rootless.build.stage_state import StageState, needed_by
from rootless.build.targets import has_index, platforms_of
from rootless.build.worker_pool import StepFailed
from rootless.engine.images import budget
from rootless.engine.state import emulated_ids
from rootless.session import session
from rootless.storage.layers import steps
from rootless.storage.store import Store


class Result(NamedTuple):
    """`id` is that of the image, or of the index of images for several platforms; "" where none was asked for."""

    id: str


def build(store: Store, request: BuildRequest, progress: Progress) -> Result:
    """Build what `request` says; joins the session. BuildFailed, with an account, where a step or the Dockerfile
    fails, another RootlessError where the request does. Whatever happens, nothing is left running, and what was done
    is in the cache."""
    names = outputs.check(request)
    budget.configured()
    try:
        session.join()
        with store.lease(), in_use.running(store), ExitStack() as stack:
            steps.sweep(store)
            request = request._replace(ssh=stack.enter_context(agents.sockets(store, request.agents)))
            found = definition.read(store, request, progress, stack)
            result, did = _build(store, request, names, found, progress)
    finally:
        progress.close()
    if did:
        upkeep.in_background(store)
        budget.keep(store)
    return result


def _build(
    store: Store, request: BuildRequest, names: list[str], found: definition.Definition, progress: Progress
) -> tuple[Result, bool]:
    """The result, and whether anything was done that was not in the cache."""
    wanted = platforms_of(request)
    listed = has_index(request)
    if listed:
        several.check(request)
    agent = request.ssh.get("default", "")
    with ExitStack() as stack:
        contexts = Contexts(store, found.directory, found.ignore_files, progress, ssh_socket=agent, time=found.time)
        stack.enter_context(contexts)
        try:
            said = controls(request.build_args)
            dockerfile = parse(found.data, file=found.name, syntax=said.syntax, check=said.check)
            planned = plan(store, request, dockerfile, progress, _Times(store, request, contexts))
        except DockerfileError as error:
            raise BuildFailed(error.message, hint=error.hint, account=error.excerpt()) from None
        refusal = refused(planned.stages.values(), request.allow)
        if refusal is not None:
            reason, step = refusal
            raise of_step(reason, Vertex(step.place.name), step, dockerfile)
        epoch = planned.stages[planned.targets[0]].epoch
        imported = importing.read(store, request.cache_from, wanted, epoch, progress, tls_verify=request.tls_verify)
        stack.enter_context(emulated(planned.stages.values()))
        told = one_user(
            planned.stages.values(), os.uname().machine, single_id=session.join().single_id, asked=emulated_ids.configured()
        )
        if told:
            progress.warning(told)
        place = [f"{found.path or found.directory}\0{request.target}", *(wanted if listed else ())]
        trace = Trace(store, "\0".join(place))
        done = _do(store, request, planned, dockerfile, contexts, trace, imported, progress)
        if listed:
            result = Result(several.write(store, request, names, done, progress))
        else:
            image = outputs.write(store, request, names, done[0], progress)
            result = Result(image.id if image is not None else "")
        if request.cache_to:
            from rootless.build.remotecache import export

            export.export(store, done, request.cache_to, progress, tls_verify=request.tls_verify)
    if planned.warnings:
        progress.warning(render_calls.summary(planned.warnings))
    return result, any(built.did_something for built in done)


def _do(
    store: Store,
    request: BuildRequest,
    planned: Planned,
    dockerfile: Dockerfile,
    contexts: Contexts,
    trace: Trace,
    imported: importing.Imported,
    progress: Progress,
) -> list[Built]:
    """All steps; what was built for each platform. Where an imported layer turns out not to be had, all is begun again
    without it."""
    while True:
        coordinator = Coordinator(
            store,
            planned.stages,
            planned.targets,
            planned.images,
            progress,
            give_diff_ids=outputs.wants_image(request),
            missed=_Missed(trace, progress, explain=request.explain),
            jobs=request.jobs,
            times=outputs.file_times(request, planned.stages[planned.targets[0]]),
            imported=imported,
            wants_files=any(output.type != "cacheonly" for output in request.outputs),
        )
        with SourceTrees(store, request, coordinator.stages, planned.images, contexts, imported) as trees:
            try:
                lineages = coordinator.run(StepExecutor(store, request, trees))
                break
            except StepFailed as failed:
                raise of_step(failed.error, failed.vertex, failed.step, dockerfile) from None
            except importing.Lost as lost:
                if lost.reason:
                    progress.warning(f"an imported layer is not used: {lost.reason}")
                imported.forget(lost.step)
    trace.write()
    return [
        Built(
            needed_by(coordinator.stages, found[-1].plan.number),
            found,
            coordinator.diff_ids,
            trees.digests,
            imported,
            coordinator.did_something,
        )
        for found in lineages
    ]


class _Times:
    """When what SOURCE_DATE_EPOCH names was made, in seconds since 1970; None for what has no such time."""

    def __init__(self, store: Store, request: BuildRequest, contexts: Contexts) -> None:
        self._store = store
        self._request = request
        self._contexts = contexts

    def __call__(self, source: Dated) -> int | None:
        if isinstance(source, ContextSource):
            return self._contexts.time(source)
        if not isinstance(source, HttpSource | GitSource):
            return None
        from rootless.build.context import fetch

        agent = self._request.ssh.get("default", "")
        return fetch.time_of(
            self._store, source, ssh_socket=agent, authorization=authorization(self._request.secrets)
        )


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
