"""What is done with a target whose steps are done: an image, its names, archives, directories."""

from __future__ import annotations

import sys
from typing import Any

from rootless.build.output import image, results
from rootless.build.output.annotations import parse as parse_annotations
from rootless.build.output.requested import Output
from rootless.build.plan.image_config import to_document
from rootless.build.plan.steps import StagePlan
from rootless.build.progress.vertices import Progress, Status, Vertex
from rootless.build.remotecache.imported import Built
from rootless.build.request import BuildRequest
from rootless.build.stage_state import StageState
from rootless.build.targets import has_index
from rootless.engine.options import clock
from rootless.engine.state.events import events
from rootless.errors import InvalidInput, RootlessError
from rootless.image import platforms, reference
from rootless.image.manifest import Descriptor
from rootless.storage import images
from rootless.storage.images import Image
from rootless.storage.layers.file_times import FileTimes
from rootless.storage.store import Store

_IMAGES = ("image", "registry", "oci", "docker")


def wants_image(request: BuildRequest) -> bool:
    """Whether an image is recorded: then the layers need their diff ids."""
    return any(output.type in _IMAGES for output in request.outputs)


def is_pushed(output: Output) -> bool:
    return output.type == "registry" or output.attributes.get("push") == "true"


def check(request: BuildRequest) -> list[str]:
    """The canonical names that the image gets; InvalidInput for what is none, or for outputs that cannot be."""
    found = []
    named = [name for output in request.outputs for name in output.attributes.get("name", "").split(",") if name]
    for word in [*request.tags, *named]:
        wanted = reference.parse(word)
        if wanted.digest:
            raise InvalidInput(f'invalid tag "{word}": a name with a digest cannot be given to an image')
        found.append(wanted.canonical)
    for output in request.outputs:
        if output.type in ("tar", "oci", "docker") and output.dest == "-" and sys.stdout.isatty():
            raise InvalidInput(f"dest file is required for {output.type} exporter. refusing to write to console")
    parse_annotations(request.annotations, request.outputs, several=has_index(request))
    return list(dict.fromkeys(found))


def file_times(request: BuildRequest, plan: StagePlan) -> FileTimes | None:
    """What is done to the times of files in new layers: with SOURCE_DATE_EPOCH none is younger."""
    kept = any(output.attributes.get("rewrite-timestamp") == "false" for output in request.outputs)
    return None if plan.epoch is None or kept else FileTimes(plan.epoch, request.all_times)


def write(
    store: Store,
    request: BuildRequest,
    names: list[str],
    done: Built,
    progress: Progress,
) -> Image | None:
    """Make all that was asked for; the image, where one was. The caller holds the store's lease."""
    lineage = done.lineage
    built = None
    if wants_image(request):
        vertex = Vertex("exporting to image")
        progress.start(vertex)
        progress.status(vertex, Status("exporting layers", done=True))
        built = make_image(store, request, names, done, progress, vertex)
        progress.done(vertex)
    pushed: dict[str, Descriptor] = {}
    for output in request.outputs:
        write_files(store, request, output, built, names, lineage[-1], progress)
        if is_pushed(output):
            pushed |= push(store, request, output, progress)
    if built is not None and request.iidfile:
        results.write_iidfile(request.iidfile, built.id)
    if request.metadata_file:
        results.write_metadata(request.metadata_file, built, names, pushed)
    return built


def make_image(store: Store, request: BuildRequest, names: list[str], done: Built, progress: Progress, vertex: Vertex) -> Image:
    """Record the image, under `names`; `vertex`, which the caller begins and ends, shows it."""
    lineage = done.lineage
    bottom = lineage[0].image
    stack = image.of_base(store, bottom) if bottom is not None else []
    for state in lineage:
        stack += [image.built(store, done.diff_ids[result.step]) for result in state.results if result.step]
    inside = {}
    if any(place.type == "inline" for place in request.cache_to):
        from rootless.build.remotecache import export

        times = file_times(request, lineage[-1].plan)
        inside = export.inline(done, times.latest if times is not None else None)
    plan = lineage[-1].plan
    notes = parse_annotations(request.annotations, request.outputs, several=has_index(request))
    made = image.record(store, stack, document(lineage) | inside, notes.manifest(plan.platform))
    progress.status(vertex, Status(f"writing image {made.id}", done=True))
    for name in names:
        images.tag(store, made.id, name)
        events.write(store, "image", "tag", made.id, name=name)
        progress.status(vertex, Status(f"naming to {name}", done=True))
    return images.find(store, made.id)


def document(lineage: list[StageState]) -> dict[str, Any]:
    """The image's configuration, whole but for its layers: Docker's superset of the OCI's, always."""
    plan = lineage[-1].plan
    base = lineage[0].image
    before: dict[str, Any] = base.config if base is not None else {}
    created = str(before.get("created") or "")
    history = list(before.get("history") or [])
    for state in lineage:
        for entry in state.plan.history:
            result = state.results[entry.step] if entry.step is not None else None
            # Metadata is as old as the files that it is of: a build of nothing new gives the same image.
            created = result.created if result is not None else created
            line: dict[str, Any] = {"created": created or clock.now(), "created_by": entry.created_by}
            if entry.comment:
                line["comment"] = entry.comment
            if result is None or not result.step:
                line["empty_layer"] = True
            history.append(line)
    created = _created(plan, created)
    if plan.epoch is not None:
        count = len(before.get("history") or [])
        history[count:] = [{**line, "created": created} for line in history[count:]]
    platform = platforms.parse(plan.platform)
    found: dict[str, Any] = {
        "created": created,
        "architecture": platform.architecture,
        "os": platform.os,
        "config": to_document(plan.config),
        "history": history,
    }
    if platform.variant:
        found["variant"] = platform.variant
    if plan.config.author:
        found["author"] = plan.config.author
    return found


def _created(plan: StagePlan, last: str) -> str:
    if plan.epoch is not None:
        return clock.from_nanoseconds(plan.epoch * 1_000_000_000)
    return last or clock.now()


def write_files(
    store: Store,
    request: BuildRequest,
    output: Output,
    built: Image | None,
    names: list[str],
    state: StageState,
    progress: Progress,
) -> None:
    """Make what becomes files: of -o local, tar, oci, docker."""
    times = file_times(request, state.plan)
    if output.type == "local":
        from rootless.build.output import files

        vertex = Vertex("exporting to client directory")
        progress.start(vertex)
        for note in files.write_directory(store, state.layers, output.dest):
            progress.log(vertex, f"{note}\n".encode("utf-8", "replace"))
        progress.done(vertex)
    elif output.type == "tar":
        from rootless.build.output import files

        vertex = Vertex("exporting to client tarball")
        progress.start(vertex)
        if output.dest == "-":
            files.write_tar(store, state.layers, sys.stdout.buffer, times)
            sys.stdout.buffer.flush()
        else:
            files.write_tar_file(store, state.layers, output.dest, times)
        progress.done(vertex)
    elif output.type in ("oci", "docker") and output.dest:
        assert built is not None
        _archive(store, output, built, names, progress)


def _archive(store: Store, output: Output, built: Image, names: list[str], progress: Progress) -> None:
    from rootless.image.archive import save
    from rootless.storage import output_file

    vertex = Vertex(f"exporting to {output.type} image format")
    progress.start(vertex)
    form = save.Format("docker-archive" if output.type == "docker" else "oci-archive")
    chosen = [(built, names)]
    if output.type == "oci" and output.attributes.get("tar") == "false":
        save.save_directory(store, chosen, output.dest)
    elif output.dest == "-":
        save.save(store, chosen, sys.stdout.buffer, as_format=form)
    else:
        with output_file.writing(output.dest) as file:
            save.save(store, chosen, file, as_format=form)
    progress.done(vertex)


def push(store: Store, request: BuildRequest, output: Output, progress: Progress) -> dict[str, Descriptor]:
    """Push what was built under the names of the output, or of -t; the manifest that the registry of each has."""
    from rootless.engine.images import pushing
    from rootless.image.transfer.work import Packing

    own = [name for name in output.attributes.get("name", "").split(",") if name]
    names = list(dict.fromkeys(reference.parse(word).canonical for word in own or request.tags))
    if not names:
        raise InvalidInput("tag is needed when pushing to registry", hint="-t REGISTRY/NAME:TAG")
    given = output.attributes
    level = given.get("compression-level", "")
    types = {"true": "oci", "false": "docker"}.get(given.get("oci-mediatypes", ""), "")
    number = int(level) if level.isascii() and level.isdigit() else None
    packing = Packing(given.get("compression", ""), number, types, portable="SOURCE_DATE_EPOCH" in request.build_args)
    found: dict[str, Descriptor] = {}
    for name in names:
        vertex = Vertex(f"pushing {name}")
        progress.start(vertex)
        try:
            for target in pushing.choose(store, name):
                pushed = pushing.push(store, target, packing=packing, tls_verify=request.tls_verify).descriptor
                progress.status(vertex, Status(f"pushing manifest for {name}@{pushed.digest}", done=True))
                found[name] = pushed
        except RootlessError as error:
            progress.failed(vertex, error.message)
            raise
        progress.done(vertex)
    return found
