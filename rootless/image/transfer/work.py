"""One layer that is to be pushed, and how, as data."""

from __future__ import annotations

from typing import NamedTuple

from rootless.image.manifest import Descriptor
from rootless.storage import blobs
from rootless.storage.layers import layers
from rootless.storage.store import Store


class Packing(NamedTuple):
    """How layers are to be packed. `form` "" is: as they are, gzip where they are not; "docker" as `types`
    writes Docker's media types, "oci" OCI's, "" keeps the image's. `portable`: into the bytes that every host would
    make, whatever was packed before."""

    form: str = ""
    level: int | None = None
    types: str = ""
    portable: bool = False


class Work(NamedTuple):
    """A layer, the blobs that may be pushed for it, best first, and any stored blob of it to pack anew, or ""."""

    diff_id: str
    candidates: list[Descriptor]
    packed: str

    @property
    def short(self) -> str:
        return self.diff_id.partition(":")[2][:12]


class PushedLayer(NamedTuple):
    """The blob that the registry has now; `mounted_from` is the repository that it took it from, or ""."""

    media_type: str
    digest: str
    size: int
    mounted_from: str


def stored(store: Store, work: Work) -> bool:
    """Whether a blob of it is here, so that nothing has to be packed."""
    return any(blobs.has(store, candidate.digest, candidate.size) for candidate in work.candidates)


def size(store: Store, work: Work) -> int:
    """About how much there is to do."""
    return next((one.size for one in work.candidates if blobs.has(store, one.digest)), layers.size(store, work.diff_id))
