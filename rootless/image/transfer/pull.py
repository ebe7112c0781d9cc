"""`pull`: from a name to an image in the store.

Names are resolved through registries.conf, manifests chosen by platform, layers fetched and
unpacked side by side. Every byte is verified against the digest that named it, and the
image becomes visible last, in one step.
"""

from __future__ import annotations

from typing import NamedTuple

from rootless.errors import NotFound, NotSupported, RootlessError, Unavailable
from rootless.image import config as image_config
from rootless.image import manifest, platforms
from rootless.image.manifest import Descriptor, Index, Manifest
from rootless.image.platforms import Platform
from rootless.image.progress import Event, Phase, Progress, silent
from rootless.image.reference import Reference
from rootless.image.registry import registries_conf
from rootless.image.registry.auth_file import Credentials
from rootless.image.registry.client import Registry
from rootless.image.registry.registries_conf import RegistriesConf
from rootless.image.transfer import packed_forms, room
from rootless.image.transfer.layers import Layer, fetch_layers
from rootless.image.trust import policy
from rootless.storage import blobs, images
from rootless.storage.images import Image
from rootless.storage.store import Store


class _Found(NamedTuple):
    """A manifest, where it is, and the digest people pin: the index's where there is one, and its document (else empty)."""

    reference: Reference
    registry: Registry
    data: bytes
    manifest: Manifest
    descriptor: Descriptor
    top_digest: str
    index_data: bytes


def pull(
    store: Store,
    name: str,
    *,
    platform: Platform | None = None,
    progress: Progress = silent,
    tls_verify: bool = True,
    credentials: Credentials | None = None,
) -> Image:
    """Fetch the image `name` (as the user typed it) and return it as stored.

    `platform` None means the host's, and a single-platform image of another one is then taken with
    a MESSAGE; asked for explicitly, it must match. Call single-threaded; joins the session
    if there is something to unpack. Raises NotFound, Unavailable, Corrupt, NotSupported, InvalidInput.
    """
    progress(Event("", Phase.RESOLVING, text=name))
    conf = registries_conf.read()
    wanted = platform or platforms.host()
    found = _find(conf, name, wanted, tls_verify=tls_verify, credentials=credentials)
    policy.check_pull(found.reference, found.registry, (found.descriptor.digest, found.top_digest))
    what = found.reference.familiar()
    config_data = found.registry.small_blob(found.manifest.config, what=f"the configuration of {what}")
    config = image_config.parse(config_data, layers=len(found.manifest.layers), what=f"the image {what}")
    _check_platform(config, wanted, what, explicit=platform is not None, progress=progress)
    diff_ids = config["rootfs"]["diff_ids"]
    with store.lease():
        layers = [Layer(*pair) for pair in zip(found.manifest.layers, diff_ids, strict=True)]
        room.check(store, layers, what, progress)
        fetch_layers(store, layers, registry=found.registry, progress=progress)
        for layer in layers:
            packed_forms.remember(store, layer.diff_id, layer.descriptor, source=f"{found.registry.registry}/{found.registry.repository}")
        blobs.add_bytes(store, config_data)
        blobs.add_bytes(store, found.data)
        if found.index_data:
            blobs.add_bytes(store, found.index_data)  # what people pin, proved to who has it from a store for others
        described = found.descriptor.to_json() | {"topDigest": found.top_digest}
        raw = manifest.load_json(found.data, what)
        return images.add(store, found.reference.canonical, described, raw, config)


def _find(
    conf: RegistriesConf, name: str, wanted: Platform, *, tls_verify: bool, credentials: Credentials | None
) -> _Found:
    """Ask every place that may have it, in order; the first that does wins."""
    failures: list[RootlessError] = []
    for reference in conf.candidates(name):
        for endpoint in conf.endpoints(reference):
            registry = Registry(endpoint, tls_verify=tls_verify)
            if credentials is not None:
                registry.authorize(credentials)
            try:
                return _resolve(reference, registry, wanted)
            except (NotFound, Unavailable) as error:
                failures.append(error)
    if len(failures) == 1:
        raise failures[0]
    # Being told "not found" by the last mirror is less useful than why each one failed.
    kind = Unavailable if any(isinstance(failure, Unavailable) for failure in failures) else NotFound
    raise kind(
        f"{name} was found nowhere: " + "; ".join(failure.message for failure in failures),
        hint=next((failure.hint for failure in failures if failure.hint), None),
    )


def _resolve(reference: Reference, registry: Registry, wanted: Platform) -> _Found:
    what = reference.familiar()
    fetched = registry.manifest(reference.digest or reference.tag or "latest", what=what)
    top_digest, top_data = fetched.digest, fetched.data
    parsed = manifest.parse(fetched.data, fetched.media_type, what=f"the manifest of {what}")
    # An index may name an index once (some builders nest them); deeper is nobody's intention.
    for _ in range(2):
        if not isinstance(parsed, Index):
            break
        chosen = manifest.choose(parsed, wanted, what=what)
        fetched = registry.manifest(chosen.digest, what=f"{what} ({wanted})")
        if len(fetched.data) != chosen.size:
            raise Unavailable(
                f"the manifest of {what} has {len(fetched.data)} bytes instead of {chosen.size}"
            )
        parsed = manifest.parse(fetched.data, chosen.media_type, what=f"the manifest of {what}")
    if isinstance(parsed, Index):
        raise NotSupported(f"{what} is an index of indexes of indexes")
    descriptor = Descriptor(parsed.media_type, fetched.digest, len(fetched.data))
    index_data = top_data if top_digest != fetched.digest else b""
    return _Found(reference, registry, fetched.data, parsed, descriptor, top_digest, index_data)


def _check_platform(
    config: dict[str, object], wanted: Platform, what: str, *, explicit: bool, progress: Progress
) -> None:
    offered = platforms.of(config)
    if not offered.architecture or platforms.select([offered], wanted) is not None:
        return
    if offered.os != "linux":
        raise NotSupported(f"{what} is for {offered.os}, not for Linux")
    if explicit:
        raise NotFound(
            f"image with reference {what} was found but does not match the specified platform: "
            f"wanted {wanted}, actual: {offered}"
        )
    text = f"The requested image's platform ({offered}) does not match the detected host platform ({wanted})"
    progress(Event("", Phase.MESSAGE, text=text))
