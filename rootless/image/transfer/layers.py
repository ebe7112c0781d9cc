"""Layers into the store, several at once: one worker process per layer (workers.py)."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import NamedTuple

from rootless.errors import Corrupt
from rootless.image import decompress
from rootless.image.manifest import Descriptor
from rootless.image.progress import Event, Phase, Progress
from rootless.image.registry.client import Registry
from rootless.image.transfer import workers
from rootless.image.transfer.layer_stream import LayerStream, Report, Throttled
from rootless.session import session
from rootless.storage.layers import layers
from rootless.storage.store import Store

# As many downloads at once as Docker's default, more where there are processors to unpack.
_WORKERS = max(3, min(6, os.cpu_count() or 1))


class Layer(NamedTuple):
    """A blob and what it must be when unpacked."""

    descriptor: Descriptor
    diff_id: str

    @property
    def short(self) -> str:
        return self.descriptor.digest.partition(":")[2][:12]


def fetch_layers(
    store: Store, wanted: Sequence[Layer], *, registry: Registry | None, progress: Progress
) -> None:
    """Make every layer of `wanted` visible in the store; those that are there are not touched.

    With `registry` None all blobs must be stored already. Joins the session. The first error stops
    all; what was downloaded by then is kept and used by the next attempt.
    """
    missing: dict[str, Layer] = {}
    for layer in wanted:
        if layers.has(store, layer.diff_id):
            progress(Event(layer.short, Phase.EXISTS))
        else:
            missing.setdefault(layer.diff_id, layer)
    if not missing:
        return
    session.join()
    # The largest first: the last worker should not start with the longest job.
    waiting = sorted(missing.values(), key=lambda layer: layer.descriptor.size, reverse=True)
    for layer in waiting:
        progress(Event(layer.short, Phase.WAITING, 0, layer.descriptor.size))
    how: workers.Jobs[Layer] = workers.Jobs(
        work=lambda layer, send: _work(store, layer, registry, send),
        received=lambda layer, message: _report(layer, message, progress),
        ended=lambda layer: progress(_done(layer)),
        name=lambda layer: f"layer {layer.short}",
    )
    workers.run(waiting, how, at_most=_WORKERS)


def _report(layer: Layer, message: workers.Message, progress: Progress) -> None:
    phase = Phase(message["phase"])
    progress(Event(layer.short, phase, message["done"], layer.descriptor.size, message["text"]))


def _done(layer: Layer) -> Event:
    return Event(layer.short, Phase.DONE, layer.descriptor.size, layer.descriptor.size)


def _work(store: Store, layer: Layer, registry: Registry | None, send: workers.Send) -> None:
    """The worker's."""
    if registry is not None:
        registry.reset()

    def report(phase: str, done_bytes: int, text: str) -> None:
        send({"phase": phase, "done": done_bytes, "text": text})

    _unpack_layer(store, layer, registry, Throttled(report))


def _unpack_layer(store: Store, layer: Layer, registry: Registry | None, report: Report) -> None:
    what = f"layer {layer.short}"
    while True:
        with LayerStream(store, registry, layer.descriptor, report) as stream:
            try:
                layers.unpack(store, layer.diff_id, decompress.open_stream(stream, what=what))
                # Another command may have unpacked it before we read to the end.
                while stream.read(1 << 20):
                    pass
                return
            except Corrupt:
                # What an earlier attempt left was bad: it is gone now, begin afresh, once.
                if not stream.resumed:
                    raise
