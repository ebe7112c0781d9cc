"""--cache-to: what a build used and did, written to a registry or a directory.

A layer is packed once, on its way, by what `push` packs with; what the place has under a digest that is known here
is not sent, nor fetched where it was not needed here.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from typing import Any

from rootless.build.execute import diff_id
from rootless.build.progress.vertices import Progress, Status, Vertex
from rootless.build.remotecache import document, layout_directory
from rootless.build.remotecache.document import Document, Entry
from rootless.build.remotecache.imported import Built, Imported
from rootless.build.remotecache.places import Place
from rootless.build.stage_state import StageState
from rootless.errors import RootlessError
from rootless.image import manifest, reference
from rootless.image.manifest import Descriptor
from rootless.image.progress import silent
from rootless.image.registry import registries_conf
from rootless.image.registry.blob_upload import of_bytes
from rootless.image.registry.upload import Uploader
from rootless.image.transfer import packed_forms, push, workers
from rootless.image.transfer.work import Packing, Work
from rootless.storage import blobs
from rootless.storage.layers import known_blobs, step_names
from rootless.storage.store import Store


def export(store: Store, builds: Sequence[Built], places: Sequence[Place], progress: Progress, *, tls_verify: bool) -> None:
    """Write what the builds, one for each platform, used and did to each of `places`.

    An error of one whose `may_fail` is set is told and no more."""
    for place in places:
        if place.type == "inline":
            continue  # output/image's
        client = "registry" if place.type == "registry" else "client directory"
        vertex = Vertex(f"exporting cache to {client}")
        progress.start(vertex)
        try:
            digest = _export(store, builds, place, tls_verify=tls_verify)
        except RootlessError as error:
            progress.failed(vertex, error.message)
            if not place.may_fail:
                raise
            progress.warning(f"--cache-to {place.where}: {error.message}")
            continue
        progress.status(vertex, Status(f"writing cache manifest {digest}", done=True))
        progress.done(vertex)


def _export(store: Store, builds: Sequence[Built], place: Place, *, tls_verify: bool) -> str:
    wanted = _wanted(store, builds, every_stage=place.every_stage)
    uploader = _uploader(place, tls_verify=tls_verify) if place.type == "registry" else None
    if uploader is None:
        place = place._replace(where=layout_directory.trusted(place.where))
    works = [_work(store, builds[0].imported, place, step, found, uploader) for step, found in wanted.items()]
    works = list({work.diff_id: work for work in works}.values())
    packing = Packing(place.form, place.level)
    if uploader is not None:
        packed = push.upload_layers(store, works, uploader, packing, silent)
        for found, blob in packed.items():
            packed_forms.remember(store, found, blob, source=f"{uploader.registry}/{uploader.repository}")
    else:
        packed = layout_directory.write_layers(store, works, place.where, packing)
    whole = _document(builds, wanted, list(packed))
    config = whole.to_bytes()
    data, media_type = _manifest(config, list(packed.values()), docker=place.docker_types)
    digest = _digest(data)
    if uploader is not None:
        if not uploader.has_blob(_digest(config)):
            uploader.upload(of_bytes(_digest(config), config), sent=lambda _: None)
        uploader.put_manifest(reference.parse(place.where).tag or "latest", data, media_type, digest)
    else:
        described = Descriptor(media_type, digest, len(data))
        layout_directory.write_index(place.where, place.tag, described, (config, data), reset=place.reset)
    return digest


def _wanted(store: Store, builds: Sequence[Built], *, every_stage: bool) -> dict[str, str]:
    """{step: diff id} of the layers that go with it; those that have no diff id get one, several at once."""
    states = [one for built in builds for one in (built.stages.values() if every_stage else built.lineage)]
    imported = builds[0].imported
    names = dict.fromkeys(result.step for state in states for result in state.results if result.step)
    found: dict[str, str] = {}
    unnamed: list[str] = []
    for step in names:
        layer = imported.descriptor(step) if imported.absent([step]) else None
        known = layer.diff_id if layer is not None else step_names.diff_id(store, step)
        found[step] = known
        if not known and not imported.absent([step]):
            unnamed.append(step)

    def received(step: str, message: dict[str, Any]) -> None:
        found[step] = message["diff_id"]

    how: workers.Jobs[str] = workers.Jobs(
        work=lambda step, send: send(diff_id.give(store, step)), received=received, ended=lambda _: None, name=str
    )
    workers.run(unnamed, how, at_most=2)
    return {step: known for step, known in found.items() if known}


def _work(store: Store, imported: Imported, place: Place, step: str, found: str, uploader: Uploader | None) -> Work:
    """How the layer is to be sent; one that is absent here is fetched, unless the place has it."""
    known = [
        Descriptor(manifest.layer_type(one.compression), one.digest, one.size) for one in known_blobs.known(store, found)
    ]
    if imported.absent([step]):
        layer = imported.descriptor(step)
        assert layer is not None, "it would have no diff id"
        there = uploader is not None and uploader.has_blob(layer.descriptor.digest)
        if not there and not layout_directory.has(place.where if uploader is None else "", layer.descriptor):
            reason = imported.fetch(step)
            if reason:
                raise RootlessError(f"a layer of the imported cache cannot be had: {reason}")
        known.insert(0, layer.descriptor)
    form = place.form or "gzip"
    fitting = [one for one in known if not place.every_layer_anew or manifest.form_of(one.media_type) == form]
    fitting.sort(key=lambda one: manifest.form_of(one.media_type) != form)
    packed = next((one.digest for one in known if blobs.has(store, one.digest, one.size)), "")
    return Work(found, fitting, packed)


def _document(builds: Sequence[Built], wanted: dict[str, str], diff_ids: list[str]) -> Document:
    digests = {question: answer for built in builds for question, answer in built.digests.items()}
    states = [state for built in builds for state in built.stages.values()]
    return Document(entries(states, wanted), digests, diff_ids)


def entries(states: Iterable[StageState], layers: dict[str, str]) -> list[Entry]:
    """The records of all steps of `states`; `layers` are the diff ids of those whose layers go with them."""
    found = {}
    for state in states:
        for result in state.results:
            if result.key:
                found[result.key] = Entry(result.key, result.step, layers.get(result.step, ""), result.created)
    return [found[key] for key in sorted(found)]


def inline(built: Built, epoch: int | None) -> dict[str, Any]:
    """What goes into the configuration of the image."""
    layers = {result.step: str(built.diff_ids[result.step]["diff_id"]) for state in built.lineage for result in state.results
              if result.step}  # fmt: skip
    whole = Document(entries(built.stages.values(), layers), built.digests, epoch=epoch).to_json()
    del whole["diff_ids"]
    return {document.INLINE: whole}


def _uploader(place: Place, *, tls_verify: bool) -> Uploader:
    endpoint = registries_conf.read().endpoints(reference.parse(place.where))[-1]
    return Uploader(endpoint, tls_verify=tls_verify)


def _manifest(config: bytes, layers: list[Descriptor], *, docker: bool) -> tuple[bytes, str]:
    media_type = manifest.DOCKER_MANIFEST if docker else manifest.OCI_MANIFEST
    written = {
        "schemaVersion": 2,
        "mediaType": media_type,
        "config": Descriptor(document.MEDIA_TYPE, _digest(config), len(config)).to_json(),
        "layers": [manifest.in_family(layer, docker=docker).to_json() for layer in layers],
    }
    return json.dumps(written, separators=(",", ":")).encode(), media_type


def _digest(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()
