"""The image configuration (OCI image-spec, config.md): checked so that the engine can trust its types.

What an image says about itself is hostile: after `parse`, every field the engine reads has
the type the specification gives it, and there are as many diff ids as layers.
"""

from __future__ import annotations

from typing import Any

from rootless.errors import Corrupt
from rootless.image import manifest, reference, run_config

LONGEST_WORD, LONGEST_TEXT, MOST_HISTORY = 255, 65_536, 10_000
"""Of a platform's words, of a line of history; an author may be as long as one of those."""


def parse(
    data: bytes, *, layers: int | None = None, what: str = "the image's configuration"
) -> dict[str, Any]:
    """The configuration as a dict with `rootfs.diff_ids`, `architecture`, `os` and `config`.

    Nulls are dropped. Raises Corrupt for wrong types or, with `layers`, a wrong number of diff ids.
    """
    document = manifest.load_json(data, what)
    if not isinstance(document, dict):
        raise Corrupt(f"{what} is no JSON object")
    try:
        document = {key: run_config.text(value) for key, value in document.items() if value is not None}
    except RecursionError:
        raise Corrupt(f"{what} is nested too deeply") from None
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
        if len(document.get(key, "")) > (LONGEST_TEXT if key == "author" else LONGEST_WORD):
            raise Corrupt(f"{what}: {key} is too long")
    history = document.get("history", [])
    if not isinstance(history, list) or not all(isinstance(entry, dict) for entry in history):
        raise Corrupt(f"{what}: history is no list of objects")
    if len(history) > MOST_HISTORY:
        raise Corrupt(f"{what}: history has more than {MOST_HISTORY} entries")
    document["config"] = run_config.check(document.get("config", {}), what)
    return document

