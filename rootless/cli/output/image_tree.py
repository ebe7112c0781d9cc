"""`images --tree`: each image, or list of images, with its names and, below them, the platforms."""

from __future__ import annotations

from rootless.cli.output import units
from rootless.cli.output.columns import print_table, short_id
from rootless.engine.images import removal
from rootless.engine.images.listing import NONE, ImageRow, content_bytes
from rootless.engine.images.lookup import index_of
from rootless.errors import NotFound
from rootless.image import platforms
from rootless.storage import image_names, images, indexes
from rootless.storage.images import Image
from rootless.storage.indexes import StoredIndex
from rootless.storage.store import Store

HEADER = ("IMAGE", "ID", "DISK USAGE", "CONTENT SIZE", "USED")


class _Branch:
    """What stands below the same names: an image, or what of a list is here and what only a registry has."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.images: list[tuple[str, str, Image | None]] = []  # platform, digest


def show(store: Store, rows: list[ImageRow]) -> None:
    """Print the tree; `rows` as `images` has them."""
    unnamed = image_names.every(store).unnamed
    branches: dict[str, _Branch] = {}
    for row in rows:
        name = f"{row.repository}:{row.tag}"
        if row.repository == NONE:
            by_id = unnamed.get(row.image.id[7:], "")
            stored = indexes.find(store, by_id) if by_id else None
        else:
            stored = index_of(store, name)
        branch = branches.setdefault(row.image.id if stored is None else stored.id, _Branch())
        branch.names.append(name)
        if not branch.images:
            branch.images = [_leaf(row.image)] if stored is None else _leaves(store, stored)
    lines: list[tuple[str, ...]] = []
    for identifier, branch in branches.items():
        first, *others = branch.names
        lines.append((first, short_id(identifier), *_sizes(store, [image for _, _, image in branch.images])))
        lines += [(name, "", "", "", "") for name in others]
        for number, (platform, digest, image) in enumerate(branch.images, 1):
            line = "└─" if number == len(branch.images) else "├─"
            lines.append((f"{line} {platform}", short_id(digest), *_sizes(store, [image])))
    print_table(HEADER, lines)


def _leaf(image: Image) -> tuple[str, str, Image]:
    platform = "/".join(filter(None, platforms.of(image.config)))
    return platform, str(image.manifest.get("digest") or image.id), image


def _leaves(store: Store, stored: StoredIndex) -> list[tuple[str, str, Image | None]]:
    found = []
    for entry in stored.entries:
        image = None
        if entry["image"]:
            try:
                image = images.find(store, entry["image"])
            except NotFound:
                pass  # removed by force
        platform = "/".join(filter(None, platforms.of(entry.get("platform") or {})))
        found.append((platform, str(entry["digest"]), image))
    return found


def _sizes(store: Store, found: list[Image | None]) -> tuple[str, str, str]:
    here = [image for image in found if image is not None]
    used = any(any(removal.users(store, image)) for image in here)
    return (
        units.human_size_short(sum(image.size for image in here)),
        units.human_size_short(sum(content_bytes(store, image) for image in here)),
        "U" if used else "",
    )
