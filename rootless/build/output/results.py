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


def write_metadata(path: str, image: Image | None, names: list[str], pushed: dict[str, Descriptor]) -> None:
    """buildx's metadata of the result as JSON; of an output that is no image there is none. `pushed`: the manifest
    that the registry of each name got, which may be another than the store's, for its layers are packed."""
    found: dict[str, Any] = {}
    if image is not None:
        found = {"containerimage.config.digest": image.id, **_described(image.manifest, pushed)}
        found["containerimage.descriptor"]["platform"] = {
            key: image.config[key] for key in ("architecture", "os", "variant") if image.config.get(key)
        }
        found |= _named(names, pushed)
    _write(path, json.dumps(found, indent=2) + "\n")


def write_index_metadata(path: str, index: dict[str, Any], names: list[str], pushed: dict[str, Descriptor]) -> None:
    """The same of an index, whose descriptor is `index`; {} where files were asked for and no image."""
    found = {**(_described(index, pushed) if index else {}), **_named(names, pushed)}
    _write(path, json.dumps(found, indent=2) + "\n")


def _described(here: dict[str, Any], pushed: dict[str, Descriptor]) -> dict[str, Any]:
    """Of what has the first of the pushed names; nothing having been pushed, of what is here."""
    whole = next(iter(pushed.values())).to_json() if pushed else here
    described = {key: whole[key] for key in ("mediaType", "digest", "size")}
    return {"containerimage.descriptor": described, "containerimage.digest": described["digest"]}


def _named(names: list[str], pushed: dict[str, Descriptor]) -> dict[str, Any]:
    found: dict[str, Any] = {"image.name": ",".join([*pushed, *(name for name in names if name not in pushed)])} if names else {}
    if len(pushed) > 1:
        # Registries need not have the same: one takes a layer as another repository of its packed it.
        found["rootless.pushed"] = {name: descriptor.digest for name, descriptor in pushed.items()}
    return found


def _write(path: str, text: str) -> None:
    try:
        with open(named_paths.open_new_content(path, "the file"), "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise RootlessError(f"cannot write {path}: {error.strerror}") from None
