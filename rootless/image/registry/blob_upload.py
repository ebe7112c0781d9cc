"""One blob on its way up, whatever the registry makes of it.

It goes whole in one PUT, since registries disagree about everything else; in chunks only where that is
refused as too large (413), or where the registry says that it has a part (blob_stream.py sends what has no
size yet, and leaves the rest to us). Addresses that the registry gives are used as they are.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import NamedTuple
from urllib.parse import quote

from urllib3.response import BaseHTTPResponse

from rootless.errors import RootlessError, Unavailable
from rootless.image.registry import responses
from rootless.image.registry.responses import Transient
from rootless.image.registry.transport import Transport

_CHUNKS_BYTES = (50 << 20, 5 << 20, 512 << 10)
"""Below Cloudflare's limit of 100 MB; above ECR's least of 5 MB; below nginx's default of 1 MB."""
_MOST_SHORT = 20
"""How often a registry may take less of a chunk than it was sent."""
OCTETS = "application/octet-stream"

Sent = Callable[[int], None]
"""Told how many of a blob's bytes have gone up."""


class Content(NamedTuple):
    """A blob to upload. `read(start, stop)` gives its bytes between these offsets, each time anew."""

    digest: str
    size: int
    read: Callable[[int, int], Iterator[bytes]]


def of_bytes(digest: str, data: bytes) -> Content:
    """A small blob that is in memory."""

    def read(start: int, stop: int) -> Iterator[bytes]:
        yield data[start:stop]

    return Content(digest, len(data), read)


class _TooLarge(Exception):
    """413: something on the way limits the size of a request."""


class _NoChunks(Exception):
    """The registry takes a blob whole or not at all."""


class Place(NamedTuple):
    """An upload that was begun: where it goes on, and the smallest chunk that is taken there."""

    location: str
    least_bytes: int


class BlobUpload:
    """One blob on its way; made anew for each."""

    def __init__(
        self,
        transport: Transport,
        base: str,
        where: str,
        content: Content,
        sent: Sent,
        retrying: Callable[[str], None],
    ) -> None:
        self._transport = transport
        self._base = base
        self._where = where
        self._content = content
        self._sent = sent
        self._retrying = retrying
        self._chunk_bytes = 0  # 0: whole
        self._resumes = True  # until the registry refuses to go on where it stopped
        self._taken = False  # whether it ever said that it got a byte

    def run(self, begun: Place | None = None) -> None:
        """Upload it; what the registry has at `begun` is not sent again."""
        attempt, best = 0, 0
        place, offset = self._state(begun)
        while True:
            try:
                if place is None:
                    place, offset = begin(self._transport, self._base, self._where), 0
                if offset or self._chunk_bytes:
                    self._send_chunks(place, offset)
                else:
                    self._send_whole(place)
                return
            except _TooLarge:
                self._smaller(place)
                place = None
            except _NoChunks:
                if self._chunk_bytes or not self._resumes:
                    raise Unavailable(
                        f"{self._where} takes neither the whole blob {self._content.digest[:19]} nor a part of it"
                    ) from None
                place, self._resumes = None, False
            except Transient as transient:
                if self._is_there():
                    return
                place, offset = self._state(place)
                attempt = 0 if offset > best else attempt
                best = max(best, offset)
                attempt += 1
                if attempt == responses.ATTEMPTS:
                    raise self._explained(transient.error) from None
                pause_s = responses.delay_s(attempt - 1, transient)
                self._retrying(f"{transient} (in {pause_s:.0f} s)")
                time.sleep(pause_s)

    def _send_whole(self, place: Place) -> None:
        content = self._content
        headers = {"Content-Type": OCTETS, "Content-Length": str(content.size)}
        response = self._transport.request(
            "PUT", with_digest(place.location, content.digest), headers, lambda: self._counted(0, content.size)
        )
        self._check(response)

    def _send_chunks(self, place: Place, offset: int) -> None:
        """PATCH after PATCH from `offset` on, then an empty PUT."""
        location, content = place.location, self._content
        length = max(self._chunk_bytes or _CHUNKS_BYTES[0], place.least_bytes)
        short = 0
        while offset < content.size:
            start, stop = offset, min(offset + length, content.size)
            headers = {
                "Content-Type": OCTETS,
                "Content-Length": str(stop - start),
                "Content-Range": f"{start}-{stop - 1}",
            }

            def body(start: int = start, stop: int = stop) -> Iterator[bytes]:
                return self._counted(start, stop)

            response = self._transport.request("PATCH", location, headers, body)
            # 201 and 204 are ECR's and Pulp's 202.
            if not 200 <= response.status < 300:
                self._refused(response)
            responses.finish(response)
            self._taken = True
            location = response.headers.get("Location", location)
            offset = reached(response, stop)
            short += offset != stop
            if not start < offset <= stop or short > _MOST_SHORT:
                raise _NoChunks
        response = self._transport.request(
            "PUT", with_digest(location, content.digest), {"Content-Length": "0", "Content-Type": OCTETS}
        )
        self._check(response)

    def _refused(self, response: BaseHTTPResponse) -> None:
        """Raise what a PATCH was refused with."""
        if response.status == 413:
            response.close()
            raise _TooLarge
        if response.status in (400, 404, 405, 411, 416, 501):
            response.close()
            raise _NoChunks
        raise responses.refusal(response, f"upload of blob {self._content.digest}", self._where)

    def _check(self, response: BaseHTTPResponse) -> None:
        """Raise unless the last PUT stored the blob."""
        if response.status == 413:
            response.close()
            raise _TooLarge
        if not 200 <= response.status < 300:
            error = responses.refusal(response, f"upload of blob {self._content.digest}", self._where)
            if response.status == 404:
                # Several servers behind one name may not know of each other's uploads.
                raise Transient(error if isinstance(error, RootlessError) else error.error)
            raise error
        responses.finish(response)
        responses.check_digest(response, self._content.digest, self._where)
        self._sent(self._content.size)

    def _counted(self, start: int, stop: int) -> Iterator[bytes]:
        done = start
        for block in self._content.read(start, stop):
            yield block
            done += len(block)
            self._sent(done)

    def _smaller(self, place: Place | None) -> None:
        """Choose chunks, or smaller ones, after a 413."""
        smaller = [size for size in _CHUNKS_BYTES if size < (self._chunk_bytes or self._content.size)]
        least = place.least_bytes if place else 0
        if not smaller or (self._chunk_bytes and self._chunk_bytes <= least):
            raise Unavailable(
                f"{self._where} refuses requests of {self._chunk_bytes or self._content.size} bytes as too large "
                "(413)",
                hint="a proxy before the registry limits them (nginx: client_max_body_size); its administrator "
                "can raise that",
            )
        self._chunk_bytes = smaller[0]

    def _is_there(self) -> bool:
        """Whether the blob arrived although the answer did not."""
        try:
            response = self._transport.request("HEAD", f"{self._base}/blobs/{self._content.digest}", {})
            responses.finish(response)
        except (RootlessError, Transient):
            return False
        return response.status == 200

    def _state(self, place: Place | None) -> tuple[Place | None, int]:
        """Where a broken upload goes on and with which byte; a None place for nowhere."""
        if place is None or not self._resumes:
            return None, 0
        try:
            response = self._transport.request("GET", place.location, {})
            responses.finish(response)
        except (RootlessError, Transient):
            return None, 0
        offset = reached(response, 0)
        if not 200 <= response.status < 300 or not 0 < offset <= self._content.size:
            return None, 0
        self._taken = True
        return place._replace(location=response.headers.get("Location", place.location)), offset

    def _explained(self, error: RootlessError) -> RootlessError:
        if error.hint is None and not self._taken:
            error.hint = (
                f"some registries (Amazon ECR) hang up where the repository {self._endpoint_name} does not exist: "
                "is it created there?"
            )
        return error

    @property
    def _endpoint_name(self) -> str:
        return self._where.partition("/")[2]


def begin(transport: Transport, base: str, where: str) -> Place:
    """Have an upload begun. Raises what the registry refuses it with."""
    response = transport.request("POST", f"{base}/blobs/uploads/", {"Content-Length": "0"})
    if not 200 <= response.status < 300:
        raise responses.refusal(response, f"repository {where}", where)
    responses.finish(response)
    location = response.headers.get("Location", "")
    if not location:
        raise Unavailable(f"{where} begins an upload without saying where")
    return Place(location, _number(response.headers.get("OCI-Chunk-Min-Length", "")))


def with_digest(location: str, digest: str) -> str:
    """The registry's address with the digest added; nothing else in it is touched."""
    fragmentless = location.partition("#")[0]
    return f"{fragmentless}{'&' if '?' in fragmentless else '?'}digest={quote(digest, safe='')}"


def reached(response: BaseHTTPResponse, otherwise: int) -> int:
    """The offset after the last byte that the registry has (`Range: 0-99` is 100).

    `0-0` says nothing: it stands for no byte at many registries, for one at others.
    """
    value = response.headers.get("Range", "").removeprefix("bytes=")
    first, dash, last = value.partition("-")
    if not dash or first != "0" or last == "0" or not (last.isascii() and last.isdigit() and len(last) < 16):
        return otherwise
    return int(last) + 1


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 12 else 0
