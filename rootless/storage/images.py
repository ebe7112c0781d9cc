"""Images: names and ids, each one file system lookup away from manifest and configuration.

`run` finds its image with one open. Must not know registries or archives.

    images/by-id/<hex>.json        {"id", "manifest": descriptor, "layers": [digests], "config": {...}}
    images/names/<quoted name>     symlink -> ../by-id/<hex>.json: a tag moves by rename(2); or to an index of
                                   several images (indexes.py), which means the one of them for this machine

An image without a name is dangling. The id is the digest of its configuration, as Docker's. Hot path.
"""

from __future__ import annotations

import os
import time

from rootless import atomic
from rootless.errors import Conflict, NotFound, RootlessError
from rootless.record import TYPE_CHECKING, Record
from rootless.storage.quoted_names import quoted
from rootless.storage.store import Store, asked_again, make_directory

if TYPE_CHECKING:
    from typing import Any

    from rootless.storage.image_names import AllNames

_HEX = frozenset("0123456789abcdef")
_DAY_S = 86_400


class Published(Record):
    """Where an image is that is in somebody else's store alone (image/stores): nothing of it is in ours."""

    store: str  # its directory
    files: dict[str, dict[str, Any]]  # of "range" and "one": a squashfs with real owners or with attributes: digest, size
    layer_sizes: tuple[int, ...]  # bytes of each layer, unpacked; bottom first


class Image(Record):
    """One image as stored; `names` are canonical ones, sorted."""

    id: str  # "sha256:<hex>"
    names: tuple[str, ...]
    diff_ids: tuple[str, ...]  # bottom first, as in the configuration
    config: dict[str, Any]  # OCI image configuration
    manifest: dict[str, Any]  # descriptor: mediaType, digest, size
    size: int  # bytes of the unpacked layers
    # Digests of the compressed layers as they are stored, bottom first: the manifest's, or those of the
    # image that had brought the same contents in another compression.
    layers: tuple[str, ...] = ()
    # Repository -> digest of the manifest that was pushed there, where it is another than our own.
    pushed: dict[str, str] = {}
    # Names of the indexes that have it as one of their images, whatever machine it is for.
    lists: tuple[str, ...] = ()
    published: Published | None = None


def _record_path(store: Store, image_id: str) -> str:
    return f"{store.images}/by-id/{image_id.removeprefix('sha256:')}.json"


def _image(record: dict[str, Any], names: tuple[str, ...]) -> Image:
    return Image(
        record["id"],
        names,
        tuple(record["config"].get("rootfs", {}).get("diff_ids") or ()),
        record["config"],
        record["manifest"],
        record.get("size", 0),
        tuple(record.get("layers", ())),
        record.get("pushed", {}),
    )


def _load(path: str) -> dict[str, Any] | None:
    try:
        record = atomic.read_json(path)
    except (FileNotFoundError, ValueError):
        return None
    return record if isinstance(record, dict) else None


def find(store: Store, ref: str, *, all_names: bool = True) -> Image:
    """The image that `ref` means: a canonical name, "sha256:<hex>", or a unique prefix of an id.

    `all_names=False` leaves `names` at the one asked for and saves listing them (`run`).
    NotFound or Conflict, with Docker's wording.
    """
    store.wait()
    record = None
    if "/" in ref or ":" in ref:
        record = _load(asked_again(store.shared, f"{store.images}/names/{quoted(ref)}"))
    names: tuple[str, ...] = (ref,) if record is not None else ()
    if record is None:
        prefix = ref.removeprefix("sha256:")
        if prefix and _HEX.issuperset(prefix):
            record = _find_by_prefix(store, prefix)
        if record is None and prefix:
            record = _unnamed_index(store, ref)
    if record is not None and "entries" in record:
        record = _default(store, record, ref)
    if record is None:
        raise NotFound(f"No such image: {ref}", hint="`rootless images` lists them, `rootless pull` gets more")
    if all_names:
        return _named(record, _all_names(store))
    return _image(record, names)


def _default(store: Store, index: dict[str, Any], ref: str) -> dict[str, Any] | None:
    """Of an index (storage/indexes.py) the image that is for this machine."""
    record = _load(_record_path(store, index["default"])) if index["default"] else None
    if record is None:
        raise NotFound(
            f"No such image: {ref}", hint="the list of that name has no image for this machine: `rootless manifest inspect`"
        )
    return record


def _unnamed_index(store: Store, ref: str) -> dict[str, Any] | None:
    from rootless.storage import indexes

    found = indexes.find_by_id(store, ref)
    return None if found is None else {"entries": found.entries, "default": found.default}


def _all_names(store: Store) -> AllNames:
    from rootless.storage import image_names

    return image_names.every(store)


def _named(record: dict[str, Any], every: AllNames) -> Image:
    hex_id = record["id"][7:]
    image = _image(record, tuple(sorted(every.names.get(hex_id, ()))))
    return image._replace(lists=tuple(sorted(every.lists.get(hex_id, ()))))


def _find_by_prefix(store: Store, prefix: str) -> dict[str, Any] | None:
    if len(prefix) == 64:
        return _load(asked_again(store.shared, _record_path(store, prefix)))
    try:
        entries = os.listdir(f"{store.images}/by-id")
    except FileNotFoundError:
        return None
    matches = [entry for entry in entries if entry.startswith(prefix) and entry.endswith(".json")]
    if len(matches) > 1:
        raise Conflict(
            f"multiple IDs found with provided prefix: {prefix}",
            hint="give more characters: " + ", ".join(entry[:12] for entry in sorted(matches)[:5]),
        )
    return _load(f"{store.images}/by-id/{matches[0]}") if matches else None


def list_images(store: Store) -> list[Image]:
    """All images, dangling ones too, newest first by the configuration's `created`."""
    store.wait()
    try:
        entries = os.listdir(f"{store.images}/by-id")
    except FileNotFoundError:
        return []
    every = _all_names(store)
    found = []
    for entry in entries:
        record = _load(f"{store.images}/by-id/{entry}") if entry[:1] != "." and entry.endswith(".json") else None
        if record is not None:
            found.append(_named(record, every))
    return sorted(found, key=lambda image: str(image.config.get("created") or ""), reverse=True)


def add(
    store: Store,
    name: str | None,
    manifest_desc: dict[str, Any],
    manifest: dict[str, Any],
    config: dict[str, Any],
) -> Image:
    """Record an image whose blobs and layers are stored, and move `name` (canonical) to it.

    The caller holds `store.lease()` since before it looked for the first of them. Durable.
    """
    from rootless.storage.layers import layers

    image_id = str(manifest["config"]["digest"])
    diff_ids = config.get("rootfs", {}).get("diff_ids") or ()
    record = {
        "id": image_id,
        "manifest": manifest_desc,
        "layers": _stored(store, [layer["digest"] for layer in manifest.get("layers", ())], list(diff_ids)),
        "config": config,
        "size": sum(layers.size(store, diff_id) for diff_id in diff_ids),
    }
    if store.shared:
        from rootless.storage import squashed

        squashed.make(store, list(diff_ids))
    path = _record_path(store, image_id)
    make_directory(os.path.dirname(path))
    before = _load(path)
    if before is not None and before.get("pushed"):
        record["pushed"] = before["pushed"]
    atomic.write_json(path, record)
    if name is not None:
        tag(store, image_id, name)
    return find(store, image_id)


def note_use(store: Store, image_id: str) -> None:
    """Note that the image is used: its record's time, set once a day. Nothing where that cannot be written, or for ""."""
    path = _record_path(store, image_id)
    try:
        if not 0 <= time.time() - os.stat(path).st_mtime <= _DAY_S:  # a later time is of another clock, and says nothing
            os.utime(path)
    except OSError:
        pass  # a store that is only read, or a full one; or the image has just been removed


def last_used(store: Store, image_id: str) -> float:
    """When the image was added, or noted as used, as time.time(); now where its record is gone."""
    try:
        return os.stat(_record_path(store, image_id)).st_mtime
    except OSError:
        return time.time()


def note_pushed(store: Store, image_id: str, repository: str, digest: str) -> None:
    """Note under which digest `repository` has the image now. Nothing where the image has gone."""
    path = _record_path(store, image_id)
    record = _load(path)
    if record is None or record.get("pushed", {}).get(repository) == digest:
        return
    record["pushed"] = {**record.get("pushed", {}), repository: digest}
    atomic.write_json(path, record)


def _stored(store: Store, digests: list[str], diff_ids: list[str]) -> list[str]:
    """A layer that was there already was not fetched: its blob is the other image's, and now ours to keep, too."""
    from rootless.storage import blobs

    there = list(digests)
    if len(digests) == len(diff_ids) and not all(blobs.has(store, digest) for digest in digests):
        pairs = (pair for other in list_images(store) for pair in zip(other.diff_ids, other.layers, strict=False))
        known = {diff_id: digest for diff_id, digest in pairs if blobs.has(store, digest)}
        for at, diff_id in enumerate(diff_ids):
            if not blobs.has(store, digests[at]):
                there[at] = known.get(diff_id, digests[at])
    return there


def tag(store: Store, image_id: str, name: str) -> None:
    """Let `name` (canonical) mean the image, whatever it meant before; atomic. NotFound."""
    from rootless.storage import image_names

    hex_id = image_id.removeprefix("sha256:")
    if not os.path.exists(_record_path(store, hex_id)):
        raise NotFound(f"No such image: {image_id}")
    image_names.link(store, name, f"by-id/{hex_id}.json")


def untag(store: Store, name: str) -> None:
    """Remove the name; its image, or images, stay, perhaps dangling. NotFound."""
    from rootless.storage import image_names

    image_names.unlink(store, name)


def remove(store: Store, image_id: str) -> None:
    """Forget the image and all its names; blobs and layers go with the next `gc.collect`.

    Whether containers still use it is for the caller to ask: `containers_using`. NotFound.
    """
    hex_id = image_id.removeprefix("sha256:")
    if not os.path.exists(_record_path(store, hex_id)):
        raise NotFound(f"No such image: {image_id}")
    # Names first: a kill between leaves a dangling image, never a name that leads nowhere.
    for name in _all_names(store).names.get(hex_id, ()):
        untag(store, name)
    try:
        os.unlink(_record_path(store, hex_id))
    except FileNotFoundError:
        pass


def containers_using(store: Store, image_id: str) -> list[str]:
    """Ids of containers made from the image, or with a mount of it."""
    from rootless.storage import shape
    from rootless.storage.containers import containers

    using = []
    for container_id in containers.ids(store):
        try:
            config = containers.config(store, container_id, {})
        except RootlessError:
            continue  # gone, or damaged
        mounts: list[dict[str, Any]] = config["mounts"] if shape.fits(config.get("mounts"), [dict]) else []
        mounted = [mount.get("image") for mount in mounts]
        if config.get("image_id") == image_id or image_id in mounted:
            using.append(container_id)
    return using
