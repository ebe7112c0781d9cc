"""The hash by which a container's configuration is known: whether it is what the file says now.

As Docker Compose, without what does not make another container: how it is built, pulled, counted, ordered. Secrets and
configs that the file itself holds are in it, by their content. Its value cannot equal Docker Compose's, which hashes Go's
JSON: what one has made the other makes anew, once.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from rootless.compose.load.project import Project

_NOT_CONFIGURATION = ("build", "pull_policy", "pull_refresh_after", "scale", "depends_on", "profiles", "develop", "attach",
                      "post_start", "pre_stop", "env_file", "label_file", "extends", "provider")  # fmt: skip


def service_hash(project: Project, service: dict[str, Any]) -> str:
    """Of a service."""
    kept = {key: value for key, value in service.items() if key not in _NOT_CONFIGURATION}
    if kept.get("deploy"):
        kept["deploy"] = {key: value for key, value in kept["deploy"].items() if key != "replicas"}
    contents = {}
    for kind in ("secrets", "configs"):
        for entry in service.get(kind) or ():
            source = project.resources(kind).get(entry.get("source", "")) or {}
            if "content" in source:
                contents[f"{kind}.{entry['source']}"] = source["content"]
            elif "environment" in source:
                contents[f"{kind}.{entry['source']}"] = project.environment.get(source["environment"], "")
    return of({"service": kept, "contents": contents})


def resource_hash(resource: dict[str, Any]) -> str:
    """Of a network or a volume."""
    return of({key: value for key, value in resource.items() if key not in ("name", "external", "labels")})


def of(value: Any) -> str:
    """SHA-256 of the value's JSON, keys sorted."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode("utf-8", "surrogateescape")).hexdigest()
