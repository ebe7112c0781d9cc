"""What a prune removed: one result for containers, images and volumes."""

from __future__ import annotations

from rootless.record import Record


class Pruned(Record):
    """One prune of one kind. `names`: of an image, the names that went with it; no key where it had none."""

    kind: str  # container | image | volume, as the event says it
    ids: list[str]  # what is gone, in the order of its going; of a volume its name
    reclaimed_bytes: int
    names: dict[str, list[str]] = {}
