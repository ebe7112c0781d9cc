"""--platform with several platforms: an image for each, and one name that means all of them."""

from __future__ import annotations

import json
from typing import Any

from rootless.build import outputs
from rootless.build.output import results
from rootless.build.output.annotations import parse as parse_annotations
from rootless.build.output.requested import Output
from rootless.build.progress.vertices import Progress, Status, Vertex
from rootless.build.remotecache.imported import Built
from rootless.build.request import BuildRequest
from rootless.engine.state.events import events
from rootless.errors import NotSupported
from rootless.image import index
from rootless.image.manifest import Descriptor
from rootless.storage import blobs
from rootless.storage.images import Image
from rootless.storage.store import Store


def check(request: BuildRequest) -> None:
    """NotSupported for outputs that hold one image only."""
    for output in request.outputs:
        if output.type == "docker" and output.dest:
            raise NotSupported("docker exporter does not currently support exporting manifest lists", hint="-o type=oci")
        if output.type == "tar":
            raise NotSupported("-o type=tar is of one platform", hint="-o type=local,dest=DIRECTORY makes a directory for each")


def write(store: Store, request: BuildRequest, names: list[str], builds: list[Built], progress: Progress) -> str:
    """Make all that was asked for of the builds, one for each platform; the digest of the index, "" where none was."""
    made: list[Image] = []
    described: dict[str, Any] = {}
    if outputs.wants_image(request):
        vertex = Vertex("exporting to image")
        progress.start(vertex)
        progress.status(vertex, Status("exporting layers", done=True))
        made = [outputs.make_image(store, request, [], done, progress, vertex) for done in builds]
        notes = parse_annotations(request.annotations, request.outputs, several=True).of_index
        described = _index(store, made, names, notes, progress, vertex)
        progress.done(vertex)
    pushed: dict[str, Descriptor] = {}
    for output in request.outputs:
        if output.type == "local":
            for done in builds:
                plan = done.lineage[-1].plan
                inner = Output("local", f"{output.dest}/{plan.platform.replace('/', '_')}", output.attributes)
                outputs.write_files(store, request, inner, None, names, done.lineage[-1], progress)
        elif output.type == "oci" and output.dest:
            _layout(store, output, made, names, progress)
        if outputs.is_pushed(output):
            pushed |= outputs.push(store, request, output, progress)
    if described and request.iidfile:
        results.write_iidfile(request.iidfile, described["digest"])
    if request.metadata_file:
        results.write_index_metadata(request.metadata_file, described, names, pushed)
    return str(described.get("digest", ""))


def _index(
    store: Store, made: list[Image], names: list[str], notes: dict[str, str], progress: Progress, vertex: Vertex
) -> dict[str, Any]:
    """The descriptor of the index of the images, which all `names` mean from now on, or its id alone."""
    entries = [index.of_image(image) for image in made]
    data = index.document(entries, notes)
    digest = blobs.add_bytes(store, data)
    progress.status(vertex, Status(f"exporting manifest list {digest}", done=True))
    if not names:
        index.record(store, None, entries, annotations=notes)
    for name in names:
        index.record(store, name, entries, annotations=notes)
        events.write(store, "image", "tag", digest, name=name)
        progress.status(vertex, Status(f"naming to {name}", done=True))
    return {"mediaType": json.loads(data)["mediaType"], "digest": digest, "size": len(data)}


def _layout(store: Store, output: Output, made: list[Image], names: list[str], progress: Progress) -> None:
    """-o type=oci: the images under one index of the layout's."""
    from rootless.build.output import layout

    vertex = Vertex("exporting to oci image format")
    progress.start(vertex)
    layout.write(store, output.dest, made, names, as_directory=output.attributes.get("tar") == "false")
    progress.done(vertex)
