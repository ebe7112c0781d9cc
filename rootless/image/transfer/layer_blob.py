"""A layer of the store as a blob: written as a tar, packed and hashed in one pass, for as long as it is sent.

It is not kept: the store would have each layer twice, and a registry that has it is asked by its digest, which is
remembered (storage/layers/known_blobs.py). Made again it is the same, byte for byte.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from rootless.errors import Corrupt, NotFound
from rootless.image import compress, decompress, manifest
from rootless.image.manifest import Descriptor
from rootless.image.transfer import new_image, packed_forms
from rootless.image.transfer.spool import Spool
from rootless.storage import blobs
from rootless.storage.layers import layers, write_tar
from rootless.storage.store import Store

_BLOCK_BYTES = 1 << 20
Report = Callable[[int], None]
"""Told how many plain bytes of the layer have been packed."""


def compression_of(store: Store, digest: str) -> str:
    """How a stored blob is packed, by its first bytes: gzip, zstd, or uncompressed for anything else."""
    with open(blobs.path(store, digest), "rb") as file:
        found = decompress.compression(file.read(8))
    return found if found in ("gzip", "zstd") else "uncompressed"


class MadeBlob(NamedTuple):
    """A blob that was just made, and its bytes: a descriptor, open as long as the context."""

    descriptor: Descriptor
    file: int


@contextmanager
def making(
    store: Store,
    diff_id: str,
    *,
    form: str,
    level: int | None = None,
    portable: bool = False,
    source: str = "",
    report: Report = lambda _: None,
    spooled: Callable[[int], Spool] = Spool,
) -> Iterator[MadeBlob]:
    """Pack the layer `diff_id` as `form` (compress.compressor); of the blob `source` where given, else of its files. A context manager:
    the blob is there as long as the context, in a file without a name, which `spooled` may make a Spool of that does
    more. What stays is what it is called.

    Starts threads: for a worker process. The caller has joined the session, for a layer's files, and holds a
    lease. Corrupt where the files are not those that `diff_id` is of: they could not be unpacked by anybody.
    """
    plain, packed = hashlib.sha256(), hashlib.sha256()
    done = 0
    with new_image.nameless_file(store) as descriptor:
        spool = spooled(descriptor)

        def out(data: bytes) -> None:
            packed.update(data)
            spool.write(data)

        packer = compress.compressor(form, out, level=level, portable=portable)

        class Sink:
            def write(self, data: bytes, /) -> None:
                nonlocal done
                plain.update(data)
                packer.write(data)
                done += len(data)
                report(done)

        try:
            if source:
                _unpack_into(store, source, Sink())
            elif layers.has(store, diff_id):
                write_tar.write_stored_layer(store, diff_id, Sink())
            else:
                raise NotFound(f"layer {diff_id} is not in the store", hint="pull or build the image again")
            packer.finish()
            if plain.hexdigest() != diff_id.removeprefix("sha256:"):
                raise Corrupt(
                    f"layer {diff_id[:19]} cannot be written again as it was: its archive has digest "
                    f"sha256:{plain.hexdigest()[:12]}",
                    hint="remove the image and pull or build it again",
                )
            digest = "sha256:" + packed.hexdigest()
            made = Descriptor(manifest.layer_type(form), digest, spool.size)
            spool.end()
            packed_forms.remember(store, diff_id, made)
            yield MadeBlob(made, descriptor)
        finally:
            # Who still sends it shall not wait for more.
            spool.abandon()


def _unpack_into(store: Store, digest: str, sink: write_tar.Sink) -> None:
    with open(blobs.path(store, digest), "rb") as file:
        stream = decompress.open_stream(file, what=f"blob {digest[:19]}")
        while block := stream.read(_BLOCK_BYTES):
            sink.write(block)
