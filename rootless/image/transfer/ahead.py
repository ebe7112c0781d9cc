"""The upload of a layer that is still being packed, by a thread of the worker that packs it.

Packing computes and sending waits: one after the other they take the sum of both, together the longer of the two.
What the registry does not take like this is sent afterwards, from the same file.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

from rootless.errors import RootlessError
from rootless.image.registry.blob_stream import BlobStream
from rootless.image.registry.blob_upload import Place
from rootless.image.registry.responses import Transient
from rootless.image.registry.upload import Uploader
from rootless.image.transfer.spool import Abandoned, Spool

# A blob that is soon complete is asked for by its digest first, and sent in one request less.
_FROM_BYTES = 4 << 20


class SentSpool(Spool):
    """A spool whose bytes go up once there are enough of them.

    `sent` is told how many are up, but only after the end: until then the packing is what is shown.
    """

    def __init__(self, file: int, uploader: Uploader, sent: Callable[[int], None]) -> None:
        super().__init__(file)
        # Of its own: connections are not shared between threads.
        self._stream: BlobStream = uploader.twin().stream()
        self._report = sent
        self._thread = threading.Thread(target=self._send, name="upload", daemon=True)
        self._begun = False
        self._refused: RootlessError | None = None

    def write(self, data: bytes) -> None:
        """As Spool's. Raises also what the registry refuses the upload with: nobody packs for nothing."""
        if self._refused is not None:
            raise self._refused
        super().write(data)
        if not self._begun and self.size >= _FROM_BYTES:
            self._begun = True
            self._thread.start()

    @property
    def is_sending(self) -> bool:
        """Whether bytes have begun to go up."""
        return self._begun

    def finish(self, digest: str) -> bool:
        """Wait until all is sent and have it be the blob `digest`; False where it must be sent by other means."""
        self._thread.join()
        if self._refused is not None:
            raise self._refused
        return self._stream.finish(digest)

    @property
    def place(self) -> Place | None:
        """Where an upload that broke may go on."""
        return self._stream.begun

    def _send(self) -> None:
        try:
            self._stream.begin()
            self._stream.send(self._counted)
        except RootlessError as error:
            self._refused = error
        except (Transient, Abandoned):
            pass

    def _counted(self) -> Iterator[bytes]:
        done = 0
        for block in self.read():
            yield block
            done += len(block)
            if self.ended:
                self._report(done)
