"""The squashfs of another user's store that a container runs from, looked for at each start."""

from __future__ import annotations

import os

from rootless.engine.state.config import StoreFile
from rootless.errors import RootlessError
from rootless.image.stores import reading
from rootless.runtime.squashfs import connect
from rootless.runtime.squashfs.header import ImageFile


def find(recorded: StoreFile) -> ImageFile | None:
    """The file as it was when the container was made; None where it is gone, changed, or cannot be read: then the image comes
    by its layers, each checked."""
    image = ImageFile(recorded["path"], exact=True, identity=tuple(recorded["identity"]))
    # Asked by somebody else first: to open a file of a server that does not answer waits as long as that.
    if reading.unreachable(os.path.dirname(recorded["path"])).what:
        return None
    try:
        os.close(connect.open_image(image))
    except RootlessError:
        return None
    return image
