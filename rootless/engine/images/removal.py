"""`rmi` and `image prune`: names first, then the image, unless something still needs it."""

from __future__ import annotations

from typing import NamedTuple

from rootless import user_config
from rootless.engine.images.listing import labels, select
from rootless.engine.images.lookup import familiar, find, is_id
from rootless.engine.images.platform import require
from rootless.engine.options.patterns import passes_labels
from rootless.engine.state.events import events
from rootless.engine.state.pruned import Pruned
from rootless.errors import Conflict, InvalidInput, NotFound
from rootless.image import reference
from rootless.storage import image_names, images, indexes
from rootless.storage.containers import containers
from rootless.storage.images import Image
from rootless.storage.store import Store


class Removed(NamedTuple):
    """What happened, in order: names taken away, then identifiers deleted."""

    untagged: list[str]
    deleted: list[str]


PRUNE_FILTERS = ("dangling", "label", "label!", "until")


def remove(store: Store, text: str, *, force: bool = False, platform: str = "") -> Removed:
    """As `_remove`, which see; what is gone is in the log of events. NotFound where it is not of `platform`."""
    name = _name_of_list(store, text)
    if name and not platform:
        removed = _remove_list(store, name)
        _report(store, removed.deleted[0] if removed.deleted else "", removed, text)
        return removed
    image = find(store, text)
    if platform:
        require(image, text, platform)
    _refuse_published(image, text)
    removed = _remove(store, text, image, force=force)
    _report(store, image.id, removed, text, _labels(image))
    return removed


def _refuse_published(image: Image, text: str) -> None:
    if image.published:
        raise Conflict(
            f"image {text} is read-only: it is in the store {image.published.store}",
            hint=f"who keeps that store takes it out: rootless image publish --rm {image.published.store} {text}; "
            f"to see no images of it leave it out of {user_config.STORES_VARIABLE}",
        )


def _report(store: Store, image_id: str, removed: Removed, text: str, labels: dict[str, str] | None = None) -> None:
    """`labels` are the image's."""
    for name in removed.untagged:
        events.write(store, "image", "untag", image_id, labels=labels or {}, name=name)
    for identifier in removed.deleted:
        events.write(store, "image", "delete", identifier, labels=(labels or {}) if identifier == image_id else {}, name=text)


def _labels(image: Image) -> dict[str, str]:
    """The image's labels, as far as they are such: a damaged image is removed as well."""
    found: object = labels(image)
    return {key: value for key, value in found.items() if isinstance(value, str)} if isinstance(found, dict) else {}


def untag(store: Store, text: str, names: list[str]) -> None:
    """Take the `names`, or all, from the image that `text` means; NotFound for one that it has not. The
    image stays, without a name perhaps."""
    image = find(store, text)
    _refuse_published(image, text)
    wanted = []
    for name in names:
        canonical = reference.parse(name).canonical
        if canonical not in image.names:
            raise NotFound(f"{name}: {_short(image)} has no such name", hint="`rootless images` lists them")
        wanted.append(canonical)
    for name in wanted or image.names:
        images.untag(store, name)
        events.write(store, "image", "untag", image.id, labels=_labels(image), name=familiar(name))


def _remove(store: Store, text: str, image: Image, *, force: bool) -> Removed:
    """Take away the name `text`, and the image with its last name; or all names, for an id.

    Conflict in Docker's words where containers use it or, for an id, several repositories name it;
    `force` overrides all but a running container. The caller has joined the session and then
    calls `collect`.
    """
    if is_id(text, image):
        return _remove_by_id(store, image, force=force)
    name = _name_meant(image, text)
    if len(image.names) > 1 or image.lists:
        images.untag(store, name)
        return Removed([familiar(name)], [])
    running, stopped = users(store, image)
    if (running or stopped) and not force:
        user = (running or stopped)[0]
        raise Conflict(
            f'conflict: unable to remove repository reference "{text}" (must force) - container {user[:12]} '
            f"is using its referenced image {_short(image)}",
            hint=f"remove the container first: `rootless rm {user[:12]}`",
        )
    if running:  # by force, a name may go while its image stays
        images.untag(store, name)
        return Removed([familiar(name)], [])
    images.remove(store, image.id)
    return Removed([familiar(name)], [image.id])


def _name_of_list(store: Store, text: str) -> str:
    """The canonical name, where `text` is that of an index of several images; else ""."""
    try:
        name = reference.parse(text).canonical
    except InvalidInput:
        name = ""
    if name and indexes.find(store, name) is not None:
        return name
    unnamed = indexes.find_by_id(store, text)
    return unnamed.id if unnamed is not None else ""


def _remove_list(store: Store, name: str) -> Removed:
    """Take away the name of an index, and those of its images that nothing else needs."""
    stored = indexes.find(store, name)
    image_names.unlink(store, name)
    unnamed = image_names.every(store).unnamed
    deleted = []
    for identifier in dict.fromkeys(str(entry["image"]) for entry in (stored.entries if stored else ()) if entry["image"]):
        try:
            image = images.find(store, identifier)
        except NotFound:
            continue
        needed = image.names or image.lists or identifier[7:] in unnamed
        if not needed and not any(users(store, image)):
            images.remove(store, identifier)
            deleted.append(identifier)
    if name.startswith(image_names.UNNAMED):
        return Removed([], [name, *deleted])
    return Removed([familiar(name)], deleted)


def _forget(store: Store, image: Image) -> Removed:
    """Remove the image with all its names; with one that stands for a list without a name, all that list has."""
    unnamed = image_names.every(store).unnamed.get(image.id[7:])
    removed = Removed([], [])
    if unnamed:
        removed = _remove_list(store, unnamed)
    if image.id not in removed.deleted:
        images.remove(store, image.id)
    deleted = [one for one in removed.deleted if one != image.id]
    return Removed([familiar(name) for name in image.names], [image.id, *deleted])


def _name_meant(image: Image, text: str) -> str:
    wanted = reference.parse(text)
    if wanted.canonical in image.names:
        return wanted.canonical
    for name in image.names:  # by digest: the first name in that repository
        if reference.parse(name).name == wanted.name:
            return name
    return image.names[0]


def _remove_by_id(store: Store, image: Image, *, force: bool) -> Removed:
    running, stopped = users(store, image)
    if running:
        raise Conflict(
            f"conflict: unable to delete {_short(image)} (cannot be forced) - image is being used by running "
            f"container {running[0][:12]}",
            hint=f"stop it first: `rootless stop {running[0][:12]}`",
        )
    if not force:
        if len({reference.parse(name).name for name in image.names}) > 1:
            raise Conflict(
                f"conflict: unable to delete {_short(image)} (must be forced) - image is referenced in multiple "
                "repositories",
                hint="remove its names one by one, or all of them with --force",
            )
        if image.lists:
            raise Conflict(
                f"conflict: unable to delete {_short(image)} (must be forced) - image is part of the list "
                f"{familiar(image.lists[0])}",
                hint=f"remove the list first: `rootless rmi {familiar(image.lists[0])}`",
            )
        if stopped:
            raise Conflict(
                f"conflict: unable to delete {_short(image)} (must be forced) - image is being used by stopped "
                f"container {stopped[0][:12]}",
                hint=f"remove the container first: `rootless rm {stopped[0][:12]}`",
            )
    return _forget(store, image)


def users(store: Store, image: Image) -> tuple[list[str], list[str]]:
    """Ids of running and of other containers made from the image."""
    running: list[str] = []
    stopped: list[str] = []
    for identifier in images.containers_using(store, image.id):
        state = containers.status(store, identifier).state
        (running if state in ("running", "paused") else stopped).append(identifier)
    return running, stopped


def _short(image: Image) -> str:
    return image.id.removeprefix("sha256:")[:12]


def prune(store: Store, *, every: bool, filters: dict[str, list[str]]) -> Pruned:
    """Remove dangling images, or all that no container uses. The caller has joined the session."""
    for key in filters:
        if key not in PRUNE_FILTERS:
            raise InvalidInput(f"invalid filter '{key}'", hint="known filters: " + ", ".join(PRUNE_FILTERS))
    if filters.get("dangling", ["true"])[-1] in ("false", "0"):
        every = True
    gone: dict[str, list[str]] = {}
    for shown, name in image_names.every(store).unnamed.items():
        # One whose image has a name by itself is no more than a list of it.
        if images.find(store, shown).names and not any(filters.get(key) for key in ("label", "label!", "until")):
            removed = _remove_list(store, name)
            gone.update({identifier: [] for identifier in removed.deleted})
    if every and not any(filters.get(key) for key in ("label", "label!", "until")):
        gone |= _prune_lists(store)
    for image in select(store, {key: words for key, words in filters.items() if key == "until"}):
        if image.lists or (image.names and not every):
            continue
        if not passes_labels(labels(image), filters):
            continue
        if any(users(store, image)):
            continue
        removed = _forget(store, image)
        gone[image.id] = removed.untagged
        gone.update({identifier: [] for identifier in removed.deleted[1:]})
        _report(store, image.id, removed, (removed.untagged or [image.id])[0], _labels(image))
    freed = collect(store)
    events.pruned(store, "image", freed)
    return Pruned("image", list(gone), freed, gone)


def _prune_lists(store: Store) -> dict[str, list[str]]:
    """Remove the lists of which no container uses an image; what went, as `Pruned` has it."""
    gone: dict[str, list[str]] = {}
    for name, stored in indexes.named(store).items():
        if name.startswith(image_names.UNNAMED):
            continue  # they go with the image that stands for them
        members = {str(entry["image"]) for entry in stored.entries}
        if any(images.containers_using(store, member) for member in members if member):
            continue
        removed = _remove_list(store, name)
        gone.update((identifier, removed.untagged) for identifier in removed.deleted)
        _report(store, stored.id, removed, removed.untagged[0])
    return gone


def collect(store: Store) -> int:
    """Give back what no image and no container needs any more; bytes freed."""
    from rootless.storage.maintenance import gc

    return gc.collect(store).freed_bytes
