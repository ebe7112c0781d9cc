"""Layers into the store, several at once: one forked worker process per layer.

A process, not a thread: unpacking is much Python and many small system calls, and would
wait for one interpreter lock. The caller must be single-threaded (it joins the session and
forks); threads exist only inside workers. Workers talk back over a pipe, one JSON object a
line, and die with their parent.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
from collections.abc import Sequence
from typing import Any, NamedTuple, NoReturn

from rootless import errors
from rootless.errors import Corrupt, RootlessError
from rootless.image import decompress
from rootless.image.manifest import Descriptor
from rootless.image.progress import Event, Phase, Progress
from rootless.image.registry.client import Registry
from rootless.image.transfer.layer_stream import LayerStream, Report, Throttled
from rootless.linux import process
from rootless.session import session
from rootless.storage.layers import layers
from rootless.storage.store import Store

# As many downloads at once as Docker's default, more where there are processors to unpack.
_WORKERS = max(3, min(6, os.cpu_count() or 1))
# The network thread must not wait Python's usual 5 ms whenever the unpacking one computes.
_SWITCH_INTERVAL_S = 0.0005


class Layer(NamedTuple):
    """A blob and what it must be when unpacked."""

    descriptor: Descriptor
    diff_id: str

    @property
    def short(self) -> str:
        return self.descriptor.digest.partition(":")[2][:12]


class _Worker(NamedTuple):
    layer: Layer
    pid: int
    events: int


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
    waiting = sorted(missing.values(), key=lambda layer: layer.descriptor.size)
    for layer in reversed(waiting):
        progress(Event(layer.short, Phase.WAITING, 0, layer.descriptor.size))
    running: dict[int, tuple[_Worker, bytearray]] = {}
    poll = select.poll()
    try:
        while waiting or running:
            while waiting and len(running) < _WORKERS:
                worker = _start(store, waiting.pop(), registry)
                running[worker.events] = (worker, bytearray())
                poll.register(worker.events, select.POLLIN)
            for descriptor, _ in poll.poll():
                worker, pending = running[descriptor]
                data = os.read(descriptor, 65536)
                pending += data
                *lines, rest = pending.split(b"\n")
                pending[:] = rest
                for line in lines:
                    _tell(worker.layer, json.loads(line), progress)
                if not data:
                    poll.unregister(descriptor)
                    del running[descriptor]
                    _finish(worker, progress)
    finally:
        for worker, _ in running.values():
            os.kill(worker.pid, signal.SIGKILL)
        for worker, _ in running.values():
            os.close(worker.events)
            os.waitpid(worker.pid, 0)


def _tell(layer: Layer, message: dict[str, Any], progress: Progress) -> None:
    if "error" in message:
        errors.raise_data(message["error"])
    progress(
        Event(
            layer.short,
            Phase(message["phase"]),
            message["done"],
            layer.descriptor.size,
            message["text"],
        )
    )


def _finish(worker: _Worker, progress: Progress) -> None:
    os.close(worker.events)
    _, status = os.waitpid(worker.pid, 0)
    code = os.waitstatus_to_exitcode(status)
    if code != 0:
        how = f"killed by signal {-code}" if code < 0 else f"status {code}"
        raise RootlessError(
            f"unpacking layer {worker.layer.short} ended unexpectedly ({how})",
            hint="was there enough memory? `dmesg` may say so; what was fetched is kept, try again",
        )
    size = worker.layer.descriptor.size
    progress(Event(worker.layer.short, Phase.DONE, size, size))


def _start(store: Store, layer: Layer, registry: Registry | None) -> _Worker:
    reading, writing = os.pipe2(os.O_CLOEXEC)
    sys.stdout.flush()
    sys.stderr.flush()
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        _work(store, layer, registry, writing, parent)
    os.close(writing)
    return _Worker(layer, pid, reading)


def _work(store: Store, layer: Layer, registry: Registry | None, events: int, parent: int) -> NoReturn:
    """The child: never returns."""
    code = 1
    try:
        process.set_pdeathsig(signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)
        # Ctrl-C goes to the whole process group; the parent decides what becomes of us.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        sys.setswitchinterval(_SWITCH_INTERVAL_S)
        if registry is not None:
            registry.reset()

        def report(phase: str, done_bytes: int, text: str) -> None:
            _send(events, {"phase": phase, "done": done_bytes, "text": text})

        try:
            _unpack_layer(store, layer, registry, Throttled(report))
            code = 0
        except (RootlessError, OSError, MemoryError) as error:
            _send(events, {"error": errors.to_data(error, step=f"layer {layer.short}")})
    except BaseException:
        sys.excepthook(*sys.exc_info())
        raise
    finally:
        os._exit(code)


def _send(events: int, message: dict[str, Any]) -> None:
    data = memoryview(json.dumps(message).encode() + b"\n")
    while data:
        data = data[os.write(events, data) :]


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
