"""What a registry has under a name, without fetching it."""

from __future__ import annotations

from typing import Any

from rootless.api.request.registry import credentials
from rootless.api.routes.route import ACTS, Call, Reply, Route


def inspect(call: Call) -> Reply:
    """GET /distribution/{name}/json: the descriptor that pins the name, and the platforms that there are."""
    from rootless.engine.images import remote
    from rootless.image import manifest
    from rootless.image.manifest import Index

    name = call.words["name"]
    found = remote.fetch(name, credentials=credentials(call.header("x-registry-auth")))
    parsed = manifest.parse(found.fetched.data, found.fetched.media_type, what=f"the manifest of {name}")
    listed: list[dict[str, Any]] = []
    if isinstance(parsed, Index):
        for entry in parsed.entries:
            if entry.platform is not None:
                platform = entry.platform
                listed.append({"architecture": platform.architecture, "os": platform.os, "variant": platform.variant})
    else:
        listed.append(remote.platform_of(found.registry, parsed.config, name))
    descriptor = {
        "mediaType": parsed.media_type,
        "digest": found.fetched.digest,
        "size": len(found.fetched.data),
    }
    return Reply({"Descriptor": descriptor, "Platforms": listed})


ROUTES: tuple[Route, ...] = (Route("GET", "/distribution/{name*}/json", inspect, ACTS),)
