"""From a Dockerfile to the plans of the stages that its target needs, with the images that they start from or read."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from rootless.build import base_images
from rootless.build.dockerfile.instructions import Dockerfile, LintWarning
from rootless.build.plan import epoch
from rootless.build.plan.graph import Graph, bases_of, make_graph
from rootless.build.plan.request import PlanRequest
from rootless.build.plan.sources import ImageSource, Source
from rootless.build.plan.steps import GitSource, HttpSource, StagePlan
from rootless.build.plan.together import shifted
from rootless.build.plan.whole import all_warnings, lint_failure, plan_stages
from rootless.build.progress.vertices import Progress
from rootless.build.request import BuildRequest
from rootless.build.targets import has_index, platforms_of
from rootless.image import platforms
from rootless.storage.images import Image
from rootless.storage.store import Store

Dated = Source | HttpSource | GitSource


class Planned(NamedTuple):
    """`stages` by their numbers, those of all platforms; `targets` are among them, one for each platform."""

    stages: dict[int, StagePlan]
    targets: list[int]
    images: dict[ImageSource, Image]
    warnings: tuple[LintWarning, ...]


def plan_request(request: BuildRequest, platform: str = "") -> PlanRequest:
    """What of the request a plan for `platform`, or the first that was named, depends on."""
    return PlanRequest(
        platform=platform or platforms_of(request)[0],
        build_platform=str(platforms.host()),
        build_args=request.build_args,
        contexts=request.contexts,
        target=request.target,
        labels=request.labels,
        no_cache=request.no_cache,
        no_cache_filter=request.no_cache_filter,
        network=request.network,
        multi_platform=has_index(request),
    )


def plan(
    store: Store, request: BuildRequest, dockerfile: Dockerfile, progress: Progress, time_of: Callable[[Dated], int | None]
) -> Planned:
    """Find or pull the images, plan the stages for all platforms. DockerfileError, located; BuildFailed for an image
    that is not to be had. `time_of` tells when a source was made that SOURCE_DATE_EPOCH names."""
    planned = Planned({}, [], {}, ())
    warnings: set[LintWarning] = set()
    for position, platform in enumerate(platforms_of(request)):
        by = position * len(dockerfile.stages)
        graph = _dated(make_graph(dockerfile, plan_request(request, platform)), time_of)
        stages, found = _plan(store, request, graph, planned.images, progress)
        planned.stages.update({number + by: shifted(one, by) for number, one in stages.items()})
        planned.targets.append(graph.target + by)
        warnings.update(found)
    return planned._replace(warnings=tuple(sorted(warnings, key=lambda one: (one.first, one.rule))))


def _dated(graph: Graph, time_of: Callable[[Dated], int | None]) -> Graph:
    """The graph with SOURCE_DATE_EPOCH as a number; without, where what it names has no time."""
    if graph.epoch.of is None:
        return graph
    seconds = time_of(graph.epoch.of)
    arguments = {**graph.request.build_args, epoch.NAME: "" if seconds is None else str(seconds)}
    return make_graph(graph.dockerfile, graph.request._replace(build_args=arguments))


def _plan(
    store: Store, request: BuildRequest, graph: Graph, images: dict[ImageSource, Image], progress: Progress
) -> tuple[dict[int, StagePlan], tuple[LintWarning, ...]]:
    """The stages for one platform, and what the rules found; what is not in `images` yet is added."""
    label = f"{graph.request.platform} internal" if graph.request.multi_platform else "internal"

    def resolve(source: ImageSource) -> Image:
        if source not in images:
            images[source] = base_images.resolve(
                store, source, request.pull, progress, tls_verify=request.tls_verify, label=label
            )
        return images[source]

    for source in bases_of(graph):
        if isinstance(source, ImageSource):
            resolve(source)
    plans = plan_stages(graph, lambda source: resolve(source).config if isinstance(source, ImageSource) else None)
    for found in plans.values():
        for need in found.needs:
            if isinstance(need, ImageSource):
                resolve(need)
    warnings = all_warnings(graph, plans)
    violation = lint_failure(graph, warnings)
    if violation:
        raise violation
    return plans, warnings
