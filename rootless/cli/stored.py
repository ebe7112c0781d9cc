"""Names that a word of the command line may be, for completion."""

from __future__ import annotations

import os
import sys

from rootless.errors import RootlessError


def names(subject: str) -> list[str]:
    """What a word may be: names from the store, or the words that `subject` lists."""
    if "|" in subject:
        return subject.split("|")
    try:
        return _stored(subject)
    except (RootlessError, OSError) as error:
        if os.environ.get("ROOTLESS_DEBUG"):
            print(error, file=sys.stderr)
        return []


def _stored(subject: str) -> list[str]:
    from rootless.storage.store import Store

    store = Store.open()
    if subject == "container":
        from rootless.storage.names import all_names as container_names

        return sorted(container_names(store).values())
    if subject == "image":
        from rootless.engine.images.listing import all_names

        return all_names(store)
    if subject == "volume":
        from rootless.storage import volumes

        return sorted(volume.name for volume in volumes.list_volumes(store))
    return []
