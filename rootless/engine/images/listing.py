"""What `images` and `history` show: rows as data, filtered as Docker filters."""

from __future__ import annotations

import fnmatch
import os
from typing import NamedTuple

from rootless import user_config
from rootless.engine.images.lookup import digest_of, familiar, find, find_for
from rootless.engine.options import clock
from rootless.engine.options.patterns import has_labels
from rootless.errors import InvalidInput
from rootless.image import reference
from rootless.storage import images
from rootless.storage.images import Image
from rootless.storage.store import Store

FILTERS = ("dangling", "label", "before", "since", "until", "reference")
NONE = "<none>"


class ImageRow(NamedTuple):
    """One line of `images`: an image under one of its names. `created` in seconds since 1970."""

    repository: str
    tag: str
    digest: str
    image: Image
    created: float


class Step(NamedTuple):
    """One line of `history`. `id` is empty where no image is known for it."""

    id: str
    created: float
    created_by: str
    size: int
    comment: str


def created(image: Image) -> float:
    """When the image was made, seconds since 1970; 0 where it does not say."""
    return _seconds(image.config.get("created"))


def _seconds(text: object) -> float:
    try:
        return clock.to_nanoseconds(str(text)) / 1e9 if text else 0.0
    except InvalidInput:
        return 0.0


def rows(store: Store, *, repository: str | None = None, filters: dict[str, list[str]], own: bool = False) -> list[ImageRow]:
    """A row for each name that passes, newest image first; dangling images as <none>. Those of others' stores come with one's
    own, unless these are wanted alone."""
    from rootless.storage import image_names

    found = []
    unnamed = image_names.every(store).unnamed
    everything = images.list_images(store)
    if not own and user_config.stores():
        everything = _with_published(everything)
    for image in select(store, filters, everything):
        made = created(image)
        digest = digest_of(image) or NONE
        named = []
        for name in image.names:
            parsed = reference.parse(name)
            if _shown(parsed, filters.get("reference"), repository):
                named.append(ImageRow(parsed.familiar_name(), parsed.tag or NONE, digest, image, made))
        for name in image.lists:
            # A list without an image for this machine: its first one stands for it.
            parsed = reference.parse(name)
            if _stands_for(store, name, image) and _shown(parsed, filters.get("reference"), repository):
                named.append(ImageRow(parsed.familiar_name(), parsed.tag or NONE, digest, image, made))
        is_unnamed = image.id[7:] in unnamed or (not image.names and not image.lists)
        if is_unnamed and repository is None and not filters.get("reference"):
            named.append(ImageRow(NONE, NONE, digest, image, made))
        found += named
    return found


def _with_published(own: list[Image]) -> list[Image]:
    """One's own images and those of stores, less what one's own names and ids hide; newest first."""
    from rootless.image.stores import lookup as stores

    names, ids = {name for image in own for name in image.names}, {image.id for image in own}
    found = list(own)
    for image in stores.every():
        seen = tuple(name for name in image.names if name not in names)
        if seen and image.id not in ids:
            found.append(image._replace(names=seen))
    return sorted(found, key=lambda image: str(image.config.get("created") or ""), reverse=True)


def _stands_for(store: Store, name: str, image: Image) -> bool:
    from rootless.storage import image_names, indexes

    stored = None if name in image.names or name.startswith(image_names.UNNAMED) else indexes.find(store, name)
    if stored is None or stored.default:
        return False
    return next((entry["image"] for entry in stored.entries if entry["image"]), "") == image.id


def select(store: Store, filters: dict[str, list[str]], everything: list[Image] | None = None) -> list[Image]:
    """The images, of `everything` or of one's own, that pass all filters but `reference`, which is about names."""
    everything = images.list_images(store) if everything is None else everything
    dangling = filters.get("dangling", [None])[-1]
    if dangling not in (None, "true", "1", "false", "0"):
        raise InvalidInput(f"invalid filter 'dangling={dangling}'", hint="dangling=true or dangling=false")
    before = min((created(find(store, text)) for text in filters.get("before", ())), default=None)
    since = max((created(find(store, text)) for text in filters.get("since", ())), default=None)
    until = min((clock.parse_moment(text) / 1e9 for text in filters.get("until", ())), default=None)
    chosen = []
    for image in everything:
        made = created(image)
        if dangling is not None and (dangling in ("true", "1")) != (not image.names and not image.lists):
            continue
        if (before is not None and made >= before) or (since is not None and made <= since):
            continue
        if until is not None and made >= until:
            continue
        if has_labels(labels(image), filters.get("label", ())):
            chosen.append(image)
    return chosen


def labels(image: Image) -> dict[str, str]:
    """The labels of the image's configuration."""
    return (image.config.get("config") or {}).get("Labels") or {}


def _shown(name: reference.Reference, patterns: list[str] | None, repository: str | None) -> bool:
    """Whether a name passes `--filter reference=` and the argument of `images`."""
    if repository is not None and not _matches(name, repository):
        return False
    return patterns is None or any(_matches(name, pattern) for pattern in patterns)


def _matches(name: reference.Reference, pattern: str) -> bool:
    candidates = (name.familiar(), name.familiar_name(), name.canonical, name.name)
    return any(_glob(candidate, pattern) for candidate in candidates)


def _glob(text: str, pattern: str) -> bool:
    """Go's path.Match: `*` and `?` stay within one component."""
    parts, wanted = text.split("/"), pattern.split("/")
    return len(parts) == len(wanted) and all(map(fnmatch.fnmatchcase, parts, wanted))


def history(store: Store, text: str, *, platform: str = "") -> list[Step]:
    """The image's steps, newest first; the first carries the image's id, as Docker has it. NotFound, too,
    where the image is not of `platform`."""
    from rootless.storage.layers import layers

    image = find_for(store, text, platform)
    sizes = list(image.published.layer_sizes) if image.published else [layers.size(store, diff_id) for diff_id in image.diff_ids]
    entries = [entry for entry in image.config.get("history") or () if isinstance(entry, dict)]
    if sum(not entry.get("empty_layer") for entry in entries) != len(sizes):
        entries = [{"created": image.config.get("created")} for _ in sizes]  # says nothing we can trust
    steps, remaining = [], iter(sizes)
    for entry in entries:
        size = 0 if entry.get("empty_layer") else next(remaining)
        steps.append(
            Step(
                "",
                _seconds(entry.get("created")),
                str(entry.get("created_by", "")),
                size,
                str(entry.get("comment", "")),
            )
        )
    if steps:
        steps[-1] = steps[-1]._replace(id=image.id)
    return steps[::-1]


def content_bytes(store: Store, image: Image) -> int:
    """What was downloaded of the image and is still here: manifest, configuration and compressed layers."""
    from rootless.storage import blobs

    total = 0
    for digest in {*image.layers, image.id, str(image.manifest.get("digest") or image.id)}:
        try:
            total += os.stat(blobs.path(store, digest)).st_size
        except FileNotFoundError:
            continue
    return total


def all_names(store: Store) -> list[str]:
    """Every name, as people write it; for completion."""
    return sorted(familiar(name) for image in images.list_images(store) for name in image.names)
