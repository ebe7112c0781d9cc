"""`image publish`: images of one's own store into a directory that others read, and out of it."""

from __future__ import annotations

from collections.abc import Sequence

from rootless.engine.images import repair, saving
from rootless.engine.images.lookup import familiar
from rootless.engine.state.events import events
from rootless.errors import InvalidInput, NotSupported
from rootless.image import index, platforms, reference
from rootless.image.progress import Progress
from rootless.image.stores import lookup as stores
from rootless.image.stores import publish as publishing
from rootless.image.stores import upkeep
from rootless.storage import blobs, host_images, images, indexes
from rootless.storage.images import Image
from rootless.storage.layers import layers
from rootless.storage.store import Store


def publish(
    store: Store, directory: str, texts: Sequence[str], *, keep_days: int, progress: Progress, platform: str = ""
) -> list[str]:
    """Publish the images that `texts` mean, under the names that were given (by an id: all it has), and remove what is old there. A list of
    several goes with all of it that is here; with `platform` that one alone, and what a name means there for other platforms stays.
    Returns the names. All are looked up before the first is written. Call single-threaded; joins the session."""
    chosen = saving.choose(store, texts, platform)
    wanted = [(image, [name for name in names or image.names if "@" not in name]) for image, names in chosen]
    for image, names in wanted:
        if not names:
            raise InvalidInput(f"image {image.id[7:19]} has no name to publish it under", hint="`rootless tag` gives it one")
        if host_images.is_one(store, image.id):
            raise NotSupported(f"{familiar(names[0])} lies over this machine's own files, which other machines do not have")
    done: list[str] = []
    for image, names in wanted:
        for name in names:
            several = [image] if platform else [image, *_others(store, image, name)]
            for one in several:
                if not all(layers.has(store, diff_id) for diff_id in one.diff_ids):
                    repair.restore_image(store, one.id, familiar(name), one.diff_ids)
            publishing.publish(store, several, [name], directory, progress, add=bool(platform), indexes=_lists(store, several, name))
            done.append(familiar(name))
        events.write(store, "image", "save", image.id, name=familiar(names[0]))
    upkeep.sweep(directory, keep_days)
    return done


def _others(store: Store, image: Image, name: str) -> list[Image]:
    """The images for other platforms that the name means, where it is a list's."""
    stored = indexes.find(store, name)
    entries = index.entries_of(stored) if stored else []
    return [images.find(store, entry.image) for entry in entries if entry.image and entry.image != image.id]


def _lists(store: Store, several: Sequence[Image], name: str) -> list[str]:
    """The digests of the lists that the images came by, as far as their documents are here: people pin them."""
    stored = indexes.find(store, name)
    digests = [stored.id if stored else "", *(str(image.manifest.get("topDigest", "")) for image in several)]
    own = {image.manifest["digest"] for image in several}
    return [one for one in dict.fromkeys(digests) if one.startswith("sha256:") and one not in own and blobs.has(store, one)]


def remove(directory: str, texts: Sequence[str], *, keep_days: int) -> list[str]:
    """Take the names away, and what is old. NotFound, with nothing done, for one that is not there."""
    names = [reference.parse(text).canonical for text in texts]
    upkeep.unpublish(directory, names)
    upkeep.sweep(directory, keep_days)
    return [familiar(name) for name in names]


def listed(directory: str) -> list[tuple[str, str, str, int]]:
    """Name, platform, id and size in bytes of each image that is published there, by name."""
    with upkeep.opened(directory) as opened:
        return sorted(
            (familiar(name), str(platforms.of(image.config)), image.id, image.size)
            for image in stores.in_store(opened)
            for name in image.names
        )
