"""type=local: an OCI layout in a directory of the user's, which other caches and images may share.

Each file is written aside and renamed, the index last: whoever reads sees the old cache or the new one.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Sequence
from typing import Any

from rootless import atomic
from rootless.errors import InvalidInput, RootlessError
from rootless.image import manifest
from rootless.image.manifest import Descriptor
from rootless.image.transfer import layer_blob, workers
from rootless.image.transfer.work import Packing, Work
from rootless.storage import blobs, named_paths
from rootless.storage.store import Store

_REF_NAME = "org.opencontainers.image.ref.name"


def trusted(path: str) -> str:
    """The directory of a cache by a path without links. InvalidInput where it is another account's in one like /tmp, which
    says what files our images have, or where what is written would be elsewhere, behind a link in it."""
    exact = named_paths.follow(os.path.abspath(path), "the build cache") or path
    named_paths.refuse_strangers(exact, "the build cache")
    for name in ("blobs", "blobs/sha256"):
        if os.path.islink(f"{exact}/{name}"):
            raise InvalidInput(f"the build cache {path}: {name} in it is a symbolic link", hint="name the directory that it is in")
    return exact


def has(directory: str, blob: Descriptor) -> bool:
    """Whether a blob of that name and size is there; its contents are checked by whoever reads it."""
    try:
        return bool(directory) and os.lstat(_path(directory, blob.digest)).st_size == blob.size
    except OSError:
        return False


def _path(directory: str, digest: str) -> str:
    blobs.check_digest(digest)
    return f"{directory}/blobs/{digest.replace(':', '/', 1)}"


def write_layers(store: Store, works: Sequence[Work], directory: str, packing: Packing) -> dict[str, Descriptor]:
    """Have the layers there: {diff id: blob}, in their order. RootlessError where the directory cannot be written."""
    found: dict[str, Descriptor] = {}
    try:
        os.makedirs(f"{directory}/blobs/sha256", exist_ok=True)
    except OSError as error:
        raise RootlessError(f"cannot write to {directory}: {error.strerror}") from None

    def received(work: Work, message: dict[str, Any]) -> None:
        found[work.diff_id] = Descriptor(*message["blob"])

    how: workers.Jobs[Work] = workers.Jobs(
        work=lambda work, send: send({"blob": _write_layer(store, work, directory, packing)[:3]}),
        received=received,
        ended=lambda _: None,
        name=lambda work: f"layer {work.short}",
    )
    workers.run(works, how, at_most=2)
    return {work.diff_id: found[work.diff_id] for work in works}


def _write_layer(store: Store, work: Work, directory: str, packing: Packing) -> Descriptor:
    there = next((one for one in work.candidates if has(directory, one)), None)
    if there is not None:
        return there
    kept = next((one for one in work.candidates if blobs.has(store, one.digest, one.size)), None)
    if kept is not None:
        with open(blobs.path(store, kept.digest), "rb", buffering=0) as file:
            _copy(file.fileno(), _path(directory, kept.digest))
        return kept
    form = packing.form or "gzip"
    with layer_blob.making(store, work.diff_id, form=form, level=packing.level, source=work.packed) as made:
        _copy(made.file, _path(directory, made.descriptor.digest))
        return made.descriptor


def _copy(source: int, path: str) -> None:
    aside = f"{path}.{os.getpid()}-{os.urandom(4).hex()}.tmp"
    try:
        with open(aside, "xb") as out, open(os.dup(source), "rb") as file:
            file.seek(0)
            shutil.copyfileobj(file, out, 1 << 20)
        os.rename(aside, path)
    except OSError as error:
        if os.path.lexists(aside):
            os.unlink(aside)
        raise RootlessError(f"cannot write {path}: {error.strerror}", hint="is there space?") from None


def write_index(
    directory: str, tag: str, described: Descriptor, documents: Sequence[bytes], *, reset: bool
) -> None:
    """Store `documents`, and let `tag` mean the manifest `described`. With `reset`, blobs that no entry of the index
    needs any more go."""
    try:
        for data in documents:
            atomic.write_bytes(_path(directory, "sha256:" + hashlib.sha256(data).hexdigest()), data)
        atomic.write_bytes(f"{directory}/oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
        entry = {**described.to_json(), "annotations": {_REF_NAME: tag}}
        index = {
            "schemaVersion": 2,
            "mediaType": manifest.OCI_INDEX,
            "manifests": [*([] if reset else _others(directory, tag)), entry],
        }
        atomic.write_bytes(f"{directory}/index.json", json.dumps(index).encode())
        if reset:
            _drop_unneeded(directory, described.digest)
    except OSError as error:
        raise RootlessError(f"cannot write to {directory}: {error.strerror}", hint="is there space?") from None


def _others(directory: str, tag: str) -> list[dict[str, Any]]:
    """The entries of other tags; none where the index is missing or damaged: it is the caller's directory."""
    try:
        found = atomic.read_json(f"{directory}/index.json")["manifests"]
        return [one for one in found if one.get("annotations", {}).get(_REF_NAME) not in (tag, None)]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return []


def _drop_unneeded(directory: str, digest: str) -> None:
    """Delete the blobs that the one manifest `digest` does not name."""
    found = atomic.read_json(_path(directory, digest))
    needed = {digest, found["config"]["digest"], *(layer["digest"] for layer in found["layers"])}
    for name in os.listdir(f"{directory}/blobs/sha256"):
        if len(name) == 64 and f"sha256:{name}" not in needed:
            os.unlink(f"{directory}/blobs/sha256/{name}")
