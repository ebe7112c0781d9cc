"""One layer into a registry: mounted, or uploaded, packed before where need be. Runs in a worker process."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

from rootless.errors import Corrupt
from rootless.image.manifest import Descriptor
from rootless.image.progress import Phase
from rootless.image.registry.blob_upload import Content, Place
from rootless.image.registry.upload import Uploader
from rootless.image.transfer import layer_blob
from rootless.image.transfer.ahead import SentSpool
from rootless.image.transfer.spool import Spool
from rootless.image.transfer.work import Packing, Work
from rootless.image.transfer.workers import Send
from rootless.storage import blobs
from rootless.storage.layers import known_blobs, layers
from rootless.storage.store import Store

_BLOCK_BYTES = 256 << 10
_MOUNTS_TRIED = 3


def push_layer(
    store: Store, work: Work, uploader: Uploader, *, packing: Packing, send: Send
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
    if blob is not None:
        with open(blobs.path(store, blob.digest), "rb", buffering=0) as file:
            _upload(uploader, blob, file.fileno(), report)
    else:
        blob = _pack(store, work, uploader, packing, report)
    send({"pushed": [*blob[:3], ""]})


def _pack(store: Store, work: Work, uploader: Uploader, packing: Packing, report: _Throttled) -> Descriptor:
    """Pack and upload it, both at once where it is large."""
    total = layers.size(store, work.diff_id)
    spools: list[SentSpool] = []

    def spooled(file: int) -> Spool:
        # Sent bytes are told after the end only, when the size is known: of two threads one reports at a time.
        spool = SentSpool(file, uploader, lambda done: report(Phase.PUSHING, done, spool.size))
        spools.append(spool)
        return spool

    with layer_blob.making(
        store, work.diff_id, form=packing.form or "gzip", level=packing.level, portable=packing.portable, source=work.packed,
        report=lambda done: report(Phase.PACKING, done, total), spooled=spooled,
    ) as made:  # fmt: skip
        blob, spool = made.descriptor, spools[0]
        # Another layer with the same contents may have been pushed, or packed elsewhere with the same result.
        if uploader.has_blob(blob.digest):
            return blob
        if not spool.is_sending or not spool.finish(blob.digest):
            _upload(uploader, blob, made.file, report, spool.place)
    return blob


def _upload(uploader: Uploader, blob: Descriptor, file: int, report: _Throttled, begun: Place | None = None) -> None:
    uploader.upload(
        _content(blob, file),
        sent=lambda done: report(Phase.PUSHING, done, blob.size),
        retrying=lambda text: report(Phase.RETRYING, 0, blob.size, text),
        begun=begun,
    )


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


def _content(blob: Descriptor, file: int) -> Content:
    def read(start: int, stop: int) -> Iterator[bytes]:
        while start < stop:
            block = os.pread(file, min(_BLOCK_BYTES, stop - start), start)
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
