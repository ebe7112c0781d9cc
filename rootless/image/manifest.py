"""Image manifests, indexes and configurations: parsed once, typed inside, hostile outside.

Both families, the OCI image specification v1.1 and Docker's schema 2. Whatever is refused is
named. Knows no network and no store. The raw bytes are what digests speak of, so nothing
here is ever written back.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from rootless.errors import Corrupt, NotSupported
from rootless.image import platforms, reference

# The distribution specification asks registries to take manifests of up to 4 MiB.
DOCUMENT_LIMIT_BYTES = 4 << 20
LAYERS_LIMIT = 1024

OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar"
OCI_LAYER_GZIP = "application/vnd.oci.image.layer.v1.tar+gzip"
OCI_LAYER_ZSTD = "application/vnd.oci.image.layer.v1.tar+zstd"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar"
DOCKER_LAYER_GZIP = "application/vnd.docker.image.rootfs.diff.tar.gzip"

ACCEPTED = (OCI_INDEX, DOCKER_LIST, OCI_MANIFEST, DOCKER_MANIFEST)
_SCHEMA1 = ("application/vnd.docker.distribution.manifest.v1", "application/json")
_LAYER_STEMS = ("application/vnd.oci.image.layer.v1.tar", "application/vnd.docker.image.rootfs.diff.tar")
_COMPRESSIONS = ("", "+gzip", "+zstd", ".gzip", ".zstd", ".gz", "+bzip2", "+xz")

_TYPES = {
    "gzip": OCI_LAYER_GZIP,
    "zstd": OCI_LAYER_ZSTD,
    "uncompressed": OCI_LAYER,
}


class Descriptor(NamedTuple):
    """What to fetch and how to know it is right: the OCI content descriptor."""

    media_type: str
    digest: str
    size: int
    platform: platforms.Platform | None = None
    annotations: dict[str, str] = {}

    def to_json(self) -> dict[str, Any]:
        """As it stands in manifests, without platform and annotations."""
        return {"mediaType": self.media_type, "digest": self.digest, "size": self.size}


class Index(NamedTuple):
    """Several builds of one image."""

    media_type: str
    entries: tuple[Descriptor, ...]


class Manifest(NamedTuple):
    """One build: a configuration and layers, the lowest first."""

    media_type: str
    config: Descriptor
    layers: tuple[Descriptor, ...]


def load_json(data: bytes, what: str, *, limit_bytes: int = DOCUMENT_LIMIT_BYTES) -> Any:
    """The JSON document in `data`; raises Corrupt naming `what` for anything that is none."""
    if len(data) > limit_bytes:
        raise Corrupt(f"{what} is larger than {limit_bytes} bytes")
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise Corrupt(f"{what} is no valid JSON: {str(error)[:200]}") from None


def parse(data: bytes, media_type: str = "", *, what: str = "the manifest") -> Index | Manifest:
    """The index or manifest in `data`.

    `media_type` is what the registry called it, or the descriptor: where the document says what
    it is, both must agree. Raises Corrupt for broken documents and NotSupported for other kinds.
    """
    document = _object(load_json(data, what), what)
    media_type = media_type.partition(";")[0].strip().lower()
    own_type = document.get("mediaType")
    if media_type.startswith(_SCHEMA1[0]) or (document.get("schemaVersion") == 1):
        raise NotSupported(
            f"{what} has the long deprecated schema 1",
            hint="ask the publisher to push it again with a current tool",
        )
    if document.get("schemaVersion") != 2:
        raise Corrupt(f"{what} has no schemaVersion 2")
    if own_type is not None and media_type in ACCEPTED and own_type != media_type:
        raise Corrupt(f"{what} says it is {str(own_type)[:100]!r} but was served as {media_type!r}")
    # Recognised by content where no type is given: a document that could be read as
    # both is refused (CVE-2021-41190).
    if "manifests" in document and ("layers" in document or "config" in document):
        raise Corrupt(f"{what} is both an index and a manifest")
    kind = own_type if isinstance(own_type, str) else media_type
    if kind not in ACCEPTED:
        if own_type is not None or media_type not in (
            "",
            *_SCHEMA1,
            "application/octet-stream",
            "text/plain",
        ):
            raise NotSupported(f"{what} is of the unknown type {str(kind)[:100]!r}")
        kind = OCI_INDEX if "manifests" in document else OCI_MANIFEST
    if kind in (OCI_INDEX, DOCKER_LIST):
        return Index(kind, tuple(_descriptors(document.get("manifests"), f"manifests of {what}")))
    return _manifest(document, kind, what)


def parse_descriptor(value: Any, what: str) -> Descriptor:
    """A content descriptor; raises Corrupt unless type, digest and size are sane."""
    fields = _object(value, what)
    media_type, digest, size = fields.get("mediaType"), fields.get("digest"), fields.get("size")
    if not isinstance(media_type, str) or not 0 < len(media_type) <= 255 or not media_type.isprintable():
        raise Corrupt(f"{what} has no proper mediaType")
    if not isinstance(digest, str) or not reference.is_digest(digest):
        raise Corrupt(f"{what} has no proper digest")
    if not digest.startswith("sha256:"):
        raise NotSupported(
            f"{what} uses the digest algorithm {digest.partition(':')[0]}; only sha256 is supported"
        )
    if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size < 1 << 50:
        raise Corrupt(f"{what} has no proper size")
    platform = fields.get("platform")
    annotations = fields.get("annotations")
    return Descriptor(
        media_type,
        digest,
        size,
        platforms.of(platform) if isinstance(platform, dict) else None,
        {str(k): str(v) for k, v in annotations.items()} if isinstance(annotations, dict) else {},
    )


def choose(index: Index, wanted: platforms.Platform, *, what: str = "the image") -> Descriptor:
    """The entry of `index` that fits `wanted`; raises NotFound naming what there is."""
    from rootless.errors import NotFound

    # BuildKit's attestations sit in the index with the platform unknown/unknown.
    entries = [entry for entry in index.entries if entry.platform is None or entry.platform.os != "unknown"]
    images = [entry for entry in entries if entry.media_type in ACCEPTED]
    if not images:
        raise NotSupported(f"{what} is an index without images")
    if len(images) == 1 and images[0].platform is None:
        return images[0]
    chosen = platforms.select([entry.platform or platforms.Platform("", "") for entry in images], wanted)
    if chosen is None:
        there = sorted({str(entry.platform) for entry in images if entry.platform})
        raise NotFound(
            f"no matching manifest for {wanted} in {what}",
            hint="there is: " + (", ".join(there[:20]) or "nothing with a platform"),
        )
    return images[chosen]


def _manifest(document: dict[str, Any], kind: str, what: str) -> Manifest:
    config = parse_descriptor(document.get("config"), f"config of {what}")
    if document.get("artifactType") or config.media_type not in (OCI_CONFIG, DOCKER_CONFIG):
        artifact = str(document.get("artifactType") or config.media_type)[:100]
        raise NotSupported(
            f"{what} is no container image but an artifact of type {artifact!r}",
            hint="tools like oras or helm fetch these",
        )
    if config.size > DOCUMENT_LIMIT_BYTES:
        raise Corrupt(f"config of {what} is larger than {DOCUMENT_LIMIT_BYTES} bytes")
    layers = tuple(_descriptors(document.get("layers"), f"layers of {what}"))
    for layer in layers:
        check_layer(layer)
    return Manifest(kind, config, layers)


def check_layer(layer: Descriptor) -> None:
    """Raise NotSupported, with the reason, for layers that are no plain tar archives."""
    name = f"layer {layer.digest[7:19]}"
    if "+encrypted" in layer.media_type:
        raise NotSupported(f"{name} is encrypted ({layer.media_type})")
    if "foreign" in layer.media_type or "nondistributable" in layer.media_type:
        raise NotSupported(
            f"{name} is a foreign layer ({layer.media_type}), which registries do not hold",
            hint="such layers belong to Windows images",
        )
    for stem in _LAYER_STEMS:
        if layer.media_type.startswith(stem) and layer.media_type[len(stem) :] in _COMPRESSIONS:
            return
    raise NotSupported(f"{name} is of the unknown type {layer.media_type!r}")


def form_of(media_type: str) -> str:
    """The inverse, for Docker's types too: a name of compress.FORMATS, or "" for what we do not write (xz)."""
    if media_type.endswith(("gzip", ".gz")):
        return "gzip"
    if media_type.endswith("zstd"):
        return "zstd"
    return "uncompressed" if media_type.endswith("tar") else ""


def layer_type(form: str) -> str:
    """OCI's type of a layer that is packed as `form` (of compress.FORMATS) says."""
    return _TYPES[form]


def in_family(layer: Descriptor, *, docker: bool) -> Descriptor:
    """The same layer under the type of the other family. Docker has none for zstd; what we do not write stays."""
    form = form_of(layer.media_type)
    if docker:
        known = {"gzip": DOCKER_LAYER_GZIP, "uncompressed": DOCKER_LAYER}
        return layer._replace(media_type=known.get(form, layer.media_type))
    return layer._replace(media_type=_TYPES.get(form, layer.media_type))


def _descriptors(value: Any, what: str) -> list[Descriptor]:
    if not isinstance(value, list):
        raise Corrupt(f"{what}: not a list")
    if len(value) > LAYERS_LIMIT:
        raise Corrupt(f"{what}: more than {LAYERS_LIMIT}")
    return [parse_descriptor(item, f"{what}, number {number}") for number, item in enumerate(value, 1)]


def _object(value: Any, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Corrupt(f"{what} is no JSON object")
    return value
