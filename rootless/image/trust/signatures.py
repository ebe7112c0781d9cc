"""Signatures beside an image in its registry: tag sha256-<hex>.sig, a manifest with a layer for each (cosign's format)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import time
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from rootless.errors import InvalidInput, NotFound, NotSupported
from rootless.image import manifest
from rootless.image.manifest import Descriptor
from rootless.image.reference import Reference
from rootless.image.registry.blob_upload import of_bytes
from rootless.image.registry.client import Registry
from rootless.image.registry.upload import Uploader
from rootless.image.trust import keys, simple_signing
from rootless.image.trust.simple_signing import Claim

_MOST_SIGNATURES = 50
_KEY_LIMIT_BYTES = 1 << 20


class Signature(NamedTuple):
    """Bytes that claim something, and their signature; nothing of it is verified."""

    payload: bytes
    signature: bytes


def require(
    requirement: dict[str, Any], reference: Reference, registry: Registry, digests: Sequence[str], *, where: str
) -> None:
    """Raise NotSupported unless one of the image's signatures is by a key of `requirement`, for this image and name.
    InvalidInput where `requirement`, of the policy file `where`, is damaged."""
    trusted = [keys.load_public(data, what) for data, what in _keys(requirement, where)]
    identity = requirement.get("signedIdentity")
    reasons = []
    for digest in dict.fromkeys(digests):
        for signature in _found(registry, digest):
            reason = _fault(signature, digest, reference, trusted, identity)
            if not reason:
                return
            reasons.append(reason)
    reason = "; ".join(dict.fromkeys(reasons)) or "A signature was required, but no signature exists"
    raise NotSupported(f"Source image rejected: {reason}", hint=f"by {where}, for {reference.familiar()}")


def _fault(
    signature: Signature, digest: str, reference: Reference, trusted: Sequence[keys.PublicKey], identity: dict[str, Any] | None
) -> str:
    """Why the signature does not count; "" where it does."""
    if not any(keys.verify(key, signature.signature, signature.payload) for key in trusted):
        return "Invalid signature: it is by no key of the policy"
    claim = simple_signing.parse(signature.payload)
    if claim is None:
        return "Invalid signature: what it signs is no claim about an image"
    if claim.digest != digest:
        return "Invalid signature: it is of another image"
    if not simple_signing.matches(identity, reference, claim.name):
        return f"Signature for identity {claim.name[:200]!r} is not accepted"
    return ""


def _keys(requirement: dict[str, Any], where: str) -> Iterator[tuple[bytes, str]]:
    if any(key in ("fulcio", "pki") or key.startswith("rekor") for key in requirement):
        raise NotSupported(
            f"Source image rejected: {where} wants certificates or a transparency log, which rootless cannot check",
            hint="a key can be checked: keyPath or keyData of sigstoreSigned",
        )
    found = 0
    for name in ("keyPath", "keyPaths", "keyData", "keyDatas"):
        value = requirement.get(name)
        words = value if isinstance(value, list) else [] if value is None else [value]
        for word in words:
            if not isinstance(word, str):
                raise InvalidInput(f"{where}: {name} is no text", hint="see containers-policy.json(5)")
            found += 1
            if name.startswith("keyData"):
                try:
                    yield base64.b64decode(word, validate=True), f"{name} of {where}"
                except (binascii.Error, ValueError):
                    raise InvalidInput(f"{where}: {name} is not base64") from None
                continue
            try:
                with open(word, "rb") as file:
                    yield file.read(_KEY_LIMIT_BYTES), word
            except OSError as error:
                raise InvalidInput(f"cannot read the key {word}: {error.strerror}", hint=f"named by {where}") from None
    if not found:
        raise InvalidInput(f"{where}: sigstoreSigned names no key", hint="keyPath, keyPaths, keyData or keyDatas")


def tag_of(digest: str) -> str:
    """The tag that the signatures of the manifest `digest` have."""
    return digest.replace(":", "-") + ".sig"


def _found(registry: Registry, digest: str) -> Iterator[Signature]:
    what = f"the signatures of {digest[:19]}"
    for layer, document in _manifest(registry, digest, what):
        annotations = document.get("annotations")
        text = annotations.get(simple_signing.ANNOTATION) if isinstance(annotations, dict) else None
        if layer.media_type != simple_signing.MEDIA_TYPE or not isinstance(text, str):
            continue
        try:
            yield Signature(registry.small_blob(layer, what=what), base64.b64decode(text, validate=True))
        except (binascii.Error, ValueError):
            continue


def _manifest(registry: Registry, digest: str, what: str) -> list[tuple[Descriptor, dict[str, Any]]]:
    """The layers of the signatures' manifest, with their descriptors as they stand in it; [] where there is none."""
    try:
        fetched = registry.manifest(tag_of(digest), what=what)
    except NotFound:
        return []
    document = manifest.load_json(fetched.data, what)
    layers = document.get("layers") if isinstance(document, dict) else None
    if not isinstance(layers, list):
        return []
    return [(manifest.parse_descriptor(layer, what), layer) for layer in layers[:_MOST_SIGNATURES]]


def sign(uploader: Uploader, registry: Registry, key: keys.PrivateKey, digest: str, name: str) -> None:
    """Sign the manifest `digest`, pushed as `name`, and put the signature beside those that are there already."""
    data = simple_signing.payload(Claim(digest, name), creator="rootless", timestamp=int(time.time()))
    signature = base64.b64encode(keys.sign(key, data)).decode()
    kept = [document for _, document in _manifest(registry, digest, f"the signatures of {digest[:19]}")]
    layer = {
        "mediaType": simple_signing.MEDIA_TYPE,
        "digest": _upload(uploader, data),
        "size": len(data),
        "annotations": {simple_signing.ANNOTATION: signature},
    }
    layers = [*kept[-(_MOST_SIGNATURES - 1) :], layer]
    config = json.dumps(
        {"architecture": "", "os": "", "config": {}, "rootfs": {"type": "layers", "diff_ids": [one["digest"] for one in layers]}}
    ).encode()
    document = {
        "schemaVersion": 2,
        "mediaType": manifest.OCI_MANIFEST,
        "config": {"mediaType": manifest.OCI_CONFIG, "digest": _upload(uploader, config), "size": len(config)},
        "layers": layers,
    }
    text = json.dumps(document, separators=(",", ":")).encode()
    uploader.put_manifest(tag_of(digest), text, manifest.OCI_MANIFEST, "sha256:" + hashlib.sha256(text).hexdigest())


def _upload(uploader: Uploader, data: bytes) -> str:
    digest = "sha256:" + hashlib.sha256(data).hexdigest()
    if not uploader.has_blob(digest):
        uploader.upload(of_bytes(digest, data), sent=lambda _: None)
    return digest
