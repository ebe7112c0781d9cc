"""The images that a build stands on or copies from: found in the store, or pulled, before the first step."""

from __future__ import annotations

from rootless.build.failure import BuildFailed
from rootless.build.plan.contexts import LAYOUT
from rootless.build.plan.sources import ImageSource
from rootless.build.progress.vertices import Progress, Status, Vertex
from rootless.engine.images import lookup
from rootless.errors import NotFound, NotSupported, RootlessError
from rootless.image import platforms, reference
from rootless.image.progress import Event, Phase
from rootless.image.progress import Progress as ImageProgress
from rootless.storage import host_images, images
from rootless.storage.images import Image
from rootless.storage.layers import layers
from rootless.storage.store import Store


def resolve(store: Store, source: ImageSource, policy: str, progress: Progress, *, tls_verify: bool, label: str) -> Image:
    """The image that `source` names, for its platform, with all its layers. BuildFailed where there is none.
    `label` stands before the vertex's name: `internal`.

    The caller holds the store's lease.
    """
    vertex = Vertex(f"[{label}] load metadata for {_name(source.reference)}")
    progress.start(vertex)
    try:
        image = _ensure(store, source, policy, progress, vertex, tls_verify=tls_verify)
        images.note_use(store, image.id)
        _restore(store, image, source.reference)
    except RootlessError as error:
        progress.failed(vertex, error.message)
        raise BuildFailed(f"{source.reference}: {error.message}", hint=error.hint) from None
    progress.done(vertex)
    return image


def _name(text: str) -> str:
    try:
        return reference.parse(text).canonical
    except RootlessError:
        return text


def _ensure(
    store: Store, source: ImageSource, policy: str, progress: Progress, vertex: Vertex, *, tls_verify: bool
) -> Image:
    image = _found_or_pulled(store, source, policy, progress, vertex, tls_verify=tls_verify)
    if host_images.is_one(store, image.id):
        raise NotSupported(
            f"{source.reference} is this machine itself, which nothing can be built on",
            hint="`rootless run host` and `rootless commit` make an image of what is changed",
        )
    return image


def _found_or_pulled(
    store: Store, source: ImageSource, policy: str, progress: Progress, vertex: Vertex, *, tls_verify: bool
) -> Image:
    if source.reference.startswith(LAYOUT):
        from rootless.image.archive.layout import load_layout

        platform = platforms.parse(source.platform) if source.platform else None
        return load_layout(store, source.reference.removeprefix(LAYOUT), platform=platform)
    if policy != "always":
        try:
            return lookup.ensure(store, source.reference, policy="never", platform=source.platform or None, quiet=True)
        except NotFound:
            if policy == "never" or not _can_be_pulled(source.reference):
                raise

    def tell(event: Event) -> None:
        if event.phase in (Phase.DOWNLOADING, Phase.DONE) and event.total_bytes:
            done = event.phase == Phase.DONE
            progress.status(vertex, Status(event.subject, event.done_bytes, event.total_bytes, done))

    return lookup.pull(
        store, source.reference, platform=source.platform or None, progress=_Seldom(tell), tls_verify=tls_verify
    )


def _can_be_pulled(text: str) -> bool:
    try:
        reference.parse(text)
    except RootlessError:
        return False
    return True


class _Seldom:
    """Of each layer, that it begins and that it is done: a line for every hundred kilobytes is nobody's to read."""

    def __init__(self, tell: ImageProgress) -> None:
        self._tell = tell
        self._begun: set[str] = set()

    def __call__(self, event: Event, /) -> None:
        if event.phase == Phase.DONE or event.subject not in self._begun:
            self._begun.add(event.subject)
            self._tell(event)


def _restore(store: Store, image: Image, name: str) -> None:
    """Its layers that a power cut may have damaged are unpacked again."""
    if not all(layers.has(store, diff_id) for diff_id in image.diff_ids):
        from rootless.engine.images import repair  # which brings what talks to registries

        repair.restore_image(store, image.id, name, image.diff_ids)
