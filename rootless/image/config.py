"""The image configuration (OCI image-spec, config.md): checked so that the engine can trust its types.

What an image says about itself is hostile: after `parse`, every field the engine reads has
the type the specification gives it, and there are as many diff ids as layers.
"""

from __future__ import annotations

from typing import Any

from rootless.errors import Corrupt
from rootless.image import manifest, reference

_STRINGS = ("User", "WorkingDir", "StopSignal")
_LISTS = ("Env", "Entrypoint", "Cmd", "Shell", "OnBuild")
_SETS = ("ExposedPorts", "Volumes")


def parse(
    data: bytes, *, layers: int | None = None, what: str = "the image's configuration"
) -> dict[str, Any]:
    """The configuration as a dict with `rootfs.diff_ids`, `architecture`, `os` and `config`.

    Nulls are dropped. Raises Corrupt for wrong types or, with `layers`, a wrong number of diff ids.
    """
    document = manifest.load_json(data, what)
    if not isinstance(document, dict):
        raise Corrupt(f"{what} is no JSON object")
    document = {key: value for key, value in document.items() if value is not None}
    rootfs = document.get("rootfs")
    if not isinstance(rootfs, dict) or rootfs.get("type", "layers") != "layers":
        raise Corrupt(f"{what} has no rootfs of type layers")
    diff_ids = rootfs.get("diff_ids") or []
    if not isinstance(diff_ids, list) or not all(
        isinstance(diff_id, str) and diff_id.startswith("sha256:") and reference.is_digest(diff_id)
        for diff_id in diff_ids
    ):
        raise Corrupt(f"{what} has diff_ids that are no sha256 digests")
    if layers is not None and len(diff_ids) != layers:
        raise Corrupt(f"{what} has {len(diff_ids)} diff_ids for {layers} layers")
    document["rootfs"] = {"type": "layers", "diff_ids": diff_ids}
    for key in ("architecture", "os", "variant", "created", "author"):
        if not isinstance(document.get(key, ""), str):
            raise Corrupt(f"{what}: {key} is no string")
    history = document.get("history", [])
    if not isinstance(history, list) or not all(isinstance(entry, dict) for entry in history):
        raise Corrupt(f"{what}: history is no list of objects")
    document["config"] = _run_config(document.get("config", {}), what)
    return document


def _run_config(document: Any, what: str) -> dict[str, Any]:
    if not isinstance(document, dict):
        raise Corrupt(f"{what}: config is no object")
    config: dict[str, Any] = {key: value for key, value in document.items() if value is not None}
    for key in _STRINGS:
        if not isinstance(config.get(key, ""), str):
            raise Corrupt(f"{what}: config.{key} is no string")
    for key in _LISTS:
        value = config.get(key, [])
        # Windows and very old builders wrote a single string.
        if isinstance(value, str):
            value = config[key] = [value]
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise Corrupt(f"{what}: config.{key} is no list of strings")
        if any("\0" in item for item in value):
            raise Corrupt(f"{what}: config.{key} contains a NUL character")
    for key in _SETS:
        if not isinstance(config.get(key, {}), dict):
            raise Corrupt(f"{what}: config.{key} is no object")
    labels = config.get("Labels", {})
    if not isinstance(labels, dict) or not all(isinstance(value, str) for value in labels.values()):
        raise Corrupt(f"{what}: config.Labels is no object of strings")
    healthcheck = config.get("Healthcheck", {})
    if not isinstance(healthcheck, dict):
        raise Corrupt(f"{what}: config.Healthcheck is no object")
    return config
