"""`--platform` where an image is already here: it has to be of that platform."""

from __future__ import annotations

from rootless.errors import NotFound
from rootless.image import platforms
from rootless.storage.images import Image


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
