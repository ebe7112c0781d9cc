"""A blob that goes up while it is still being made: neither its size nor its digest is known before its end.

One PATCH without a range, of as many bytes as come, then the PUT that names the digest: as docker, podman and
skopeo push everything, so registries have met it. Proxies in between may not have: whatever goes wrong here is no
error yet, and blob_upload.py begins again with the whole, or goes on with what the registry says that it has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from rootless.errors import RootlessError
from rootless.image.registry import blob_upload, responses
from rootless.image.registry.blob_upload import OCTETS, Place
from rootless.image.registry.responses import Transient
from rootless.image.registry.transport import Transport


class BlobStream:
    """One blob on its way; made anew for each. `send`, then `finish` or `begun`."""

    def __init__(self, transport: Transport, base: str, where: str) -> None:
        self._transport = transport
        self._base = base
        self._where = where
        self._sent = False
        self.begun: Place | None = None
        """Where an upload may go on that broke; None where it should begin again."""

    def begin(self) -> None:
        """Raises what the registry refuses the upload with, and Transient; no body has been asked for then."""
        self.begun = blob_upload.begin(self._transport, self._base, self._where)

    def send(self, read: Callable[[], Iterator[bytes]]) -> None:
        """Send what `read` gives, which is called again where a token was wanted. Raises nothing of the network."""
        assert self.begun is not None
        try:
            response = self._transport.request("PATCH", self.begun.location, {"Content-Type": OCTETS}, read)
            responses.finish(response)
        except Transient:
            return
        except RootlessError:
            self.begun = None
            return
        if not 200 <= response.status < 300:
            # What was refused may be kept in part: a place nobody would expect it. A new upload is clean.
            self.begun = None
            return
        self.begun = self.begun._replace(location=response.headers.get("Location", self.begun.location))
        self._sent = True

    def finish(self, digest: str) -> bool:
        """Have what was sent be the blob `digest`; whether the registry says that it is."""
        if not self._sent or self.begun is None:
            return False
        address = blob_upload.with_digest(self.begun.location, digest)
        try:
            response = self._transport.request("PUT", address, {"Content-Length": "0", "Content-Type": OCTETS})
            responses.finish(response)
        except Transient:
            return False
        except RootlessError:
            self.begun = None
            return False
        if not 200 <= response.status < 300:
            self.begun = None
            return False
        responses.check_digest(response, digest, self._where)
        return True
