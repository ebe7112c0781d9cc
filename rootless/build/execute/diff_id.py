"""A step becomes a layer: its diff id is the digest of its tar stream, which is written nowhere.

Done in a worker, beside the steps that follow, and only for layers of images that are recorded.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from rootless import atomic
from rootless.build.cache import digests
from rootless.storage.layers import layers, step_names, steps
from rootless.storage.store import Store

if TYPE_CHECKING:
    from rootless.storage.layers.file_times import FileTimes
    from rootless.storage.layers.write_tar import Sink


class _Digest:
    """A sink that hashes and counts."""

    def __init__(self) -> None:
        self.hash = hashlib.sha256()
        self.size = 0

    def write(self, data: bytes) -> int:
        self.hash.update(data)
        self.size += len(data)
        return len(data)


def known(store: Store, step: str, times: FileTimes | None = None) -> str:
    """The diff id of a step that is a layer by now, or, with `times`, of the layer that has its files at these."""
    if times is None:
        return step_names.diff_id(store, step)
    hexadecimal = digests.read(store, _question(step, times))
    found = f"sha256:{hexadecimal}" if hexadecimal else ""
    return found if found and layers.has(store, found) else ""


def _question(step: str, times: FileTimes) -> str:
    return hashlib.sha256(f"times\0{step}\0{times.latest}\0{times.all_alike}".encode()).hexdigest()


def give(store: Store, step: str, times: FileTimes | None = None) -> dict[str, Any]:
    """Make the step the layer that it is: {"diff_id", "tar_size", "size"}. One that is a layer already stays it.

    With `times` the step stays what it is, for builds at other times; its layer is one of its own.
    The caller holds the store's lease and has joined the session.
    """
    if times is not None:
        return layer_of(store, known(store, step, times) or _at_times(store, step, times))
    return _give(store, step)


def _at_times(store: Store, step: str, times: FileTimes) -> str:
    from rootless.storage.layers import layer_owners, tar_pipe
    from rootless.storage.layers.write_tar import write_layer

    def write(out: Sink) -> None:
        with steps.Mounting(store):  # it may become a layer meanwhile
            where, owners = layers.path(store, step), layer_owners.read(layers.directory(store, step))
            write_layer(where, out, owners=owners, times=times)

    with tar_pipe.written_by(write, step="exporting layers") as tar:
        found = layers.add(store, tar).diff_id
    record = layers.info(store, found)
    if not record.get("tar_size"):
        # Its tree as a tar has these bytes, as one that a step became has.
        atomic.write_json(layers.directory(store, found) + "/layer.json", {**record, "tar_size": tar.total}, durable=False)
    digests.write(store, _question(step, times), found.removeprefix("sha256:"))
    return found


def _give(store: Store, step: str) -> dict[str, Any]:
    known = step_names.diff_id(store, step)
    if not known:
        from rootless.storage.layers import layer_owners
        from rootless.storage.layers.write_tar import write_layer

        sink = _Digest()
        owners = layer_owners.read(layers.directory(store, step))
        try:
            written = write_layer(layers.path(store, step), sink, owners=owners)
        except FileNotFoundError:
            if not step_names.diff_id(store, step):
                raise
            return give(store, step)  # another build had it, too, and was faster
        known = "sha256:" + sink.hash.hexdigest()
        record = {
            "diff_id": known,
            "size": written.size,
            "entries": written.entries,
            "notes": {},
            "opaque_root": False,
            "many_ids": written.many_ids,
            # The tree as a tar has these bytes: with it, its blob can be written whenever it is wanted.
            "tar_size": sink.size,
        }
        steps.become_layer(store, step, known, record)
    else:
        _measure(store, known)
    return layer_of(store, known)


def _measure(store: Store, diff_id: str) -> None:
    """Note how long the layer's tar is, where that is not known and it comes out as it was: one that was imported is of
    ours, but its archive may be kept nowhere."""
    from rootless.storage.layers.write_tar import write_stored_layer

    record = layers.info(store, diff_id)
    if record.get("tar_size"):
        return
    sink = _Digest()
    write_stored_layer(store, diff_id, sink)
    if "sha256:" + sink.hash.hexdigest() == diff_id:
        where = layers.directory(store, diff_id) + "/layer.json"
        atomic.write_json(where, {**record, "tar_size": sink.size}, durable=False)


def layer_of(store: Store, diff_id: str) -> dict[str, Any]:
    """The same for a layer of the store; "tar_size" is 0 where its tar is not known to come out the same."""
    record = layers.info(store, diff_id)
    return {"diff_id": diff_id, "tar_size": int(record.get("tar_size", 0)), "size": int(record.get("size", 0))}
