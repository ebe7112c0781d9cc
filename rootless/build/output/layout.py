"""-o type=oci of images for several platforms: an OCI layout whose index names an index of them."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from typing import IO

from rootless.errors import RootlessError
from rootless.image import index, manifest
from rootless.image.archive import save
from rootless.image.index import IndexEntry
from rootless.image.manifest import Descriptor
from rootless.storage import named_paths, output_file
from rootless.storage.images import Image
from rootless.storage.store import Store

_REF_NAME = "org.opencontainers.image.ref.name"
_NAME = "io.containerd.image.name"


def write(store: Store, dest: str, images: Sequence[Image], names: list[str], *, as_directory: bool) -> None:
    """Write them as a directory, new or empty, or as a tar: a file, or "-" for stdout. RootlessError, Conflict."""
    if as_directory:
        with named_paths.made_directory(dest) as directory:
            _directory(store, directory, images, names)
        return
    above = os.path.dirname(os.path.abspath(dest)) if dest != "-" else None
    try:
        aside = tempfile.mkdtemp(prefix=".rootless-", dir=above)
    except OSError as error:
        raise RootlessError(f"cannot write {dest}: {error.strerror}") from None
    try:
        _directory(store, aside, images, names)
        if dest == "-":
            _tar(aside, sys.stdout.buffer)
            sys.stdout.buffer.flush()
        else:
            with output_file.writing(dest) as file:
                _tar(aside, file)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _directory(store: Store, path: str, images: Sequence[Image], names: list[str]) -> None:
    save.save_directory(store, [(image, []) for image in images], path)
    with open(f"{path}/index.json", "rb") as file:
        saved = json.load(file)["manifests"]
    entries = []
    for image, one in zip(images, saved, strict=True):
        descriptor = Descriptor(one["mediaType"], one["digest"], one["size"])
        entries.append(IndexEntry(descriptor, index.of_image(image).platform))
    data = index.document(entries, {})
    digest = hashlib.sha256(data).hexdigest()
    _put(f"{path}/blobs/sha256/{digest}", data)
    described = Descriptor(manifest.OCI_INDEX, f"sha256:{digest}", len(data)).to_json()
    named = [{**described, "annotations": {_NAME: name, _REF_NAME: name.rpartition(":")[2]}} for name in names]
    top = {"schemaVersion": 2, "mediaType": manifest.OCI_INDEX, "manifests": named or [described]}
    _put(f"{path}/index.json", json.dumps(top, separators=(",", ":")).encode())


def _put(path: str, data: bytes) -> None:
    with open(path, "wb") as file:
        file.write(data)


def _tar(path: str, out: IO[bytes]) -> None:
    def plain(info: tarfile.TarInfo) -> tarfile.TarInfo:
        info.uid = info.gid = info.mtime = 0
        info.uname = info.gname = ""
        return info

    with tarfile.open(fileobj=out, mode="w|", format=tarfile.PAX_FORMAT) as tar:
        for name in sorted(os.listdir(path)):
            tar.add(f"{path}/{name}", name, filter=plain)
