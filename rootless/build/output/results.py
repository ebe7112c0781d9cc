"""What scripts read of a build's result: --iidfile, --metadata-file."""

from __future__ import annotations

import json
from typing import Any

from rootless.errors import RootlessError
from rootless.image.manifest import Descriptor
from rootless.storage import named_paths
from rootless.storage.images import Image


def write_iidfile(path: str, identity: str) -> None:
    """The image's id, sha256:<hex>, without an end of line, as docker writes it; of an index its digest."""
    _write(path, identity)


def write_metadata(path: str, image: Image | None, names: list[str], pushed: Descriptor | None = None) -> None:
    """buildx's metadata of the result as JSON; of an output that is no image there is none. `pushed`: the manifest
    that a registry got."""
    found: dict[str, Any] = {}
    if image is not None:
        described = pushed.to_json() if pushed is not None else image.manifest
        described = {key: described[key] for key in ("mediaType", "digest", "size")}
        found = {
            "containerimage.config.digest": image.id,
            "containerimage.descriptor": {
                **described,
                "platform": {
                    key: image.config[key] for key in ("architecture", "os", "variant") if image.config.get(key)
                },
            },
            "containerimage.digest": described["digest"],
        }
        if names:
            found["image.name"] = ",".join(names)
    _write(path, json.dumps(found, indent=2) + "\n")


def write_index_metadata(path: str, index: dict[str, Any], names: list[str]) -> None:
    """The same of an index, whose descriptor is `index`; {} where files were asked for and no image."""
    found: dict[str, Any] = {}
    if index:
        described = {key: index[key] for key in ("mediaType", "digest", "size")}
        found = {"containerimage.descriptor": described, "containerimage.digest": described["digest"]}
    if names:
        found["image.name"] = ",".join(names)
    _write(path, json.dumps(found, indent=2) + "\n")


def _write(path: str, text: str) -> None:
    try:
        with open(named_paths.open_new_content(path, "the file"), "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise RootlessError(f"cannot write {path}: {error.strerror}") from None
