"""The images that may have been meant where one is not there. Imported when something is missing."""

from __future__ import annotations

from rootless.errors import InvalidInput
from rootless.image import platforms, reference
from rootless.storage import images
from rootless.storage.images import Image
from rootless.storage.store import Store

_MOST = 3


def hint(store: Store, text: str, otherwise: str | None, of_another_platform: Image | None = None) -> str | None:
    """`otherwise`, below the names that are here in the repository `text` means, or of its last component; or below what the
    image of that very name is for."""
    if of_another_platform is not None:
        return _above(f"the {text} that you have is for {platforms.of(of_another_platform.config)}", otherwise)
    try:
        wanted = reference.parse(text)
    except InvalidInput:
        return otherwise
    near: list[tuple[bool, str]] = []
    for name in {name for image in images.list_images(store) for name in image.names}:
        try:
            known = reference.parse(name)
        except InvalidInput:
            continue
        if known.repository.rpartition("/")[2] == wanted.repository.rpartition("/")[2]:
            near.append((known.name != wanted.name, known.familiar()))
    if not near:
        return otherwise
    shown = ", ".join(name for _, name in sorted(near)[:_MOST])
    more = " and more" if len(near) > _MOST else ""
    return _above(f"you have {shown}{more}", otherwise)


def _above(line: str, otherwise: str | None) -> str:
    return f"{line}\n{otherwise}" if otherwise else line
