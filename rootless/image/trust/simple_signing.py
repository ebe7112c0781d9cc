"""What a signature says (containers-signature(5), the JSON of "simple signing"): read and written. Pure."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from rootless.errors import InvalidInput
from rootless.image import reference as references
from rootless.image.reference import Reference

TYPE = "cosign container image signature"
MEDIA_TYPE = "application/vnd.dev.cosign.simplesigning.v1+json"
ANNOTATION = "dev.cosignproject.cosign/signature"


class Claim(NamedTuple):
    """That the image with this manifest is to be known as `name`."""

    digest: str
    name: str


def payload(claim: Claim, *, creator: str, timestamp: int) -> bytes:
    """The bytes that are signed."""
    document = {
        "critical": {
            "identity": {"docker-reference": claim.name},
            "image": {"docker-manifest-digest": claim.digest},
            "type": TYPE,
        },
        "optional": {"creator": creator, "timestamp": timestamp},
    }
    return json.dumps(document, separators=(",", ":")).encode()


def parse(data: bytes) -> Claim | None:
    """What the signed bytes claim; None for what is no such document. Call it of verified bytes only."""
    try:
        document = json.loads(data)
        critical = document["critical"]
        claim = Claim(critical["image"]["docker-manifest-digest"], critical["identity"]["docker-reference"])
        kind = critical["type"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return claim if kind == TYPE and all(isinstance(word, str) for word in claim) else None


def matches(identity: dict[str, Any] | None, wanted: Reference, signed: str) -> bool:
    """Whether an image pulled as `wanted` may be one signed as `signed`: a policy's signedIdentity, of which None
    means matchRepoDigestOrExact. InvalidInput where the policy is damaged."""
    if identity is None:
        identity = {"type": "matchRepoDigestOrExact"}
    if not isinstance(identity, dict):
        raise InvalidInput("policy.json: signedIdentity is no object", hint="see containers-policy.json(5)")
    kind = identity.get("type")
    try:
        found = references.parse(signed)
    except InvalidInput:
        return False
    # `parse` adds the tag that a name does not have: a signature without one is of the repository alone.
    tagged = ":" in signed.rpartition("/")[2] and "@" not in signed
    if kind == "matchRepository":
        return found.name == wanted.name
    if kind == "matchExact":
        return tagged and not wanted.digest and found.canonical == wanted.canonical
    if kind == "matchRepoDigestOrExact":
        return found.name == wanted.name if wanted.digest else tagged and found.canonical == wanted.canonical
    if kind == "exactReference":
        return tagged and found.canonical == references.parse(_text(identity, "dockerReference")).canonical
    if kind == "exactRepository":
        return found.name == references.parse(_text(identity, "dockerRepository")).name
    if kind == "remapIdentity":
        return matches(None, _remapped(identity, wanted), signed)
    raise InvalidInput(f"policy.json: unknown signedIdentity type {str(kind)[:40]!r}", hint="see containers-policy.json(5)")


def _remapped(identity: dict[str, Any], wanted: Reference) -> Reference:
    prefix, signed = _text(identity, "prefix"), _text(identity, "signedPrefix")
    if wanted.name != prefix and not wanted.name.startswith(prefix + "/"):
        return wanted
    moved = references.parse(signed + wanted.name.removeprefix(prefix))
    return moved._replace(tag=wanted.tag, digest=wanted.digest)


def _text(identity: dict[str, Any], key: str) -> str:
    value = identity.get(key)
    if not isinstance(value, str):
        raise InvalidInput(f"policy.json: signedIdentity lacks {key}", hint="see containers-policy.json(5)")
    return value
