"""`images --tree`: each image with its names and, below them, its platform."""

from __future__ import annotations

from rootless.cli.output import units
from rootless.cli.output.columns import print_table, short_id
from rootless.engine.images import removal
from rootless.engine.images.listing import ImageRow, content_bytes
from rootless.image import platforms
from rootless.storage.store import Store

HEADER = ("IMAGE", "ID", "DISK USAGE", "CONTENT SIZE", "USED")


def show(store: Store, rows: list[ImageRow]) -> None:
    """Print the tree; `rows` as `images` has them."""
    names: dict[str, list[str]] = {}
    for row in rows:
        names.setdefault(row.image.id, []).append(f"{row.repository}:{row.tag}")
    images = {row.image.id: row.image for row in rows}
    lines: list[tuple[str, ...]] = []
    for identifier, image in images.items():
        used = "U" if any(removal.users(store, image)) else ""
        sizes = (
            units.human_size_short(image.size),
            units.human_size_short(content_bytes(store, image)),
            used,
        )
        first, *others = names[identifier]
        lines.append((first, short_id(identifier), *sizes))
        lines += [(name, "", "", "", "") for name in others]
        platform = "/".join(filter(None, platforms.of(image.config)))
        lines.append((f"└─ {platform}", short_id(str(image.manifest.get("digest") or image.id)), *sizes))
    print_table(HEADER, lines)
