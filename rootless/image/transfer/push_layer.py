"""One layer into a registry: mounted, or uploaded, packed before where need be. Runs in a worker process."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from typing import NamedTuple

from rootless.errors import Corrupt
from rootless.image.manifest import Descriptor
from rootless.image.progress import Phase
from rootless.image.registry.blob_upload import Content
from rootless.image.registry.upload import Uploader
from rootless.image.transfer import layer_blob
from rootless.image.transfer.workers import Send
from rootless.storage import blobs
from rootless.storage.layers import known_blobs, layers
from rootless.storage.store import Store

_BLOCK_BYTES = 256 << 10
_MOUNTS_TRIED = 3


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


def push_layer(
    store: Store, work: Work, uploader: Uploader, *, form: str, level: int | None, send: Send
) -> None:
    """Push it and send {"pushed": PushedLayer}; of what happens until then {"phase", "done", "total", "text"}."""
    uploader.reset()
    report = _Throttled(send)
    for known in known_blobs.known(store, work.diff_id):
        candidate = next((one for one in work.candidates if one.digest == known.digest), None)
        source = _mountable(uploader, known, candidate)
        if source and candidate:
            send({"pushed": [*candidate[:3], source]})
            return
    blob = next((one for one in work.candidates if blobs.has(store, one.digest, one.size)), None)
    if blob is None:
        total = layers.size(store, work.diff_id)
        blob = layer_blob.make(
            store, work.diff_id, form=form, level=level, source=work.packed,
            report=lambda done: report(Phase.PACKING, done, total),
        )  # fmt: skip
        # Packed before by somebody else, with the same result.
        if uploader.has_blob(blob.digest):
            send({"pushed": [*blob[:3], ""]})
            return
    total = blob.size
    uploader.upload(
        _content(store, blob),
        sent=lambda done: report(Phase.PUSHING, done, total),
        retrying=lambda text: report(Phase.RETRYING, 0, total, text),
    )
    send({"pushed": [*blob[:3], ""]})


def _mountable(uploader: Uploader, known: known_blobs.KnownBlob, candidate: Descriptor | None) -> str:
    """The repository that the registry took the blob from, or ""."""
    if candidate is None:
        return ""
    tried = 0
    for source in known.sources:
        registry, _, repository = source.partition("/")
        if registry != uploader.registry or repository == uploader.repository or tried == _MOUNTS_TRIED:
            continue
        tried += 1
        if uploader.mount(known.digest, repository):
            return repository
    return ""


def _content(store: Store, blob: Descriptor) -> Content:
    path = blobs.path(store, blob.digest)

    def read(start: int, stop: int) -> Iterator[bytes]:
        with open(path, "rb", buffering=0) as file:
            os.posix_fadvise(file.fileno(), start, stop - start, os.POSIX_FADV_SEQUENTIAL)
            file.seek(start)
            while start < stop:
                block = file.read(min(_BLOCK_BYTES, stop - start))
                if not block:
                    raise Corrupt(f"stored blob {blob.digest[:19]} is shorter than it was", hint="pull the image again")
                start += len(block)
                yield block

    return Content(blob.digest, blob.size, read)


class _Throttled:
    """Sends what is said at most ten times a second, and always what is new."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._last = ("", 0.0)

    def __call__(self, phase: Phase, done: int, total: int, text: str = "") -> None:
        now = time.monotonic()
        if phase == self._last[0] and not text and now - self._last[1] < 0.1 and done < total:
            return
        self._last = (phase, now)
        self._send({"phase": phase, "done": done, "total": total, "text": text})
