"""`--platform` where an image is already here: it has to be of that platform; and lists that are pinned by a digest."""

from __future__ import annotations

from rootless.errors import NotFound
from rootless.image import index, platforms, reference
from rootless.image.reference import Reference
from rootless.storage import images, indexes
from rootless.storage.images import Image
from rootless.storage.indexes import StoredIndex
from rootless.storage.store import Store


def require(image: Image, text: str, platform: str) -> None:
    """NotFound, in Docker's words, where `image`, found as `text`, is not of `platform`; InvalidInput for none."""
    wanted = platforms.parse(platform)
    found = platforms.of(image.config)
    if platforms.select([found], wanted) is not None:
        return
    raise NotFound(
        f"image with reference {text} was found but does not provide the specified platform ({platform})",
        hint=f"it is of {'/'.join(filter(None, found))}: `rootless pull --platform {platform}` gets the other",
    )


def of_index(store: Store, stored: StoredIndex, text: str, platform: str) -> Image:
    """The image of the index `stored`, found as `text`, that is for `platform`. NotFound in Docker's words."""
    chosen = index.choose(index.entries_of(stored), platforms.parse(platform))
    if chosen is None:
        there = ", ".join(sorted({str(platforms.of(entry.platform)) for entry in index.entries_of(stored) if entry.image}))
        raise NotFound(
            f"image with reference {text} was found but does not provide the specified platform ({platform})",
            hint=f"it has images for: {there or 'nothing that is in the store'}",
        )
    return images.find(store, chosen.image)


def lists_of(store: Store, wanted: Reference) -> list[str]:
    """The names of its repository that mean the list with the digest of `wanted`; none where that has no digest."""
    names = indexes.names_of(store, wanted.digest) if wanted.digest else []
    return [name for name in names if reference.parse(name).name == wanted.name]
