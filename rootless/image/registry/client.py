"""Reading from a registry: the OCI distribution API v1.1 (https://github.com/opencontainers/distribution-spec).

Manifests, configurations and blobs of one repository at one endpoint, every byte verified; writing is
upload.py's. Blocking, one thread, no store. After a fork call `reset()`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import NamedTuple

from urllib3.response import BaseHTTPResponse

from rootless.errors import Corrupt
from rootless.image.manifest import ACCEPTED, DOCUMENT_LIMIT_BYTES, Descriptor
from rootless.image.reference import is_digest
from rootless.image.registry import responses
from rootless.image.registry.auth_file import Credentials
from rootless.image.registry.registries_conf import Endpoint
from rootless.image.registry.transport import Transport

_CHUNK_BYTES = 256 << 10


class Fetched(NamedTuple):
    """A manifest as the registry sent it; `digest` is computed from `data`."""

    data: bytes
    media_type: str
    digest: str


class Blob(NamedTuple):
    """A blob's bytes from `offset` on: 0 where the registry cannot resume. Iterate once, then close."""

    offset: int
    chunks: Iterator[bytes]
    response: BaseHTTPResponse


class Registry:
    """One repository at one endpoint.

    `tls_verify=False` allows plain http and unknown certificates, as does an endpoint marked insecure.
    """

    def __init__(self, endpoint: Endpoint, *, tls_verify: bool = True) -> None:
        self.registry = endpoint.registry
        self.repository = endpoint.repository
        self._transport = Transport(endpoint, tls_verify=tls_verify)
        self.host = self._transport.host

    def reset(self) -> None:
        """Forget connections, keep tokens: first thing in a forked child."""
        self._transport.reset()

    def ping(self) -> None:
        """Raise unless the registry lets us in: what `login` checks. One round trip or two."""
        self.document("/v2/", what="login")

    def document(self, path: str, *, what: str) -> tuple[bytes, str]:
        """What is at `path`, a small answer that is no manifest, and its Link header or ""."""
        response = self._transport.request("GET", path, {})
        try:
            if response.status != 200:
                raise responses.error_for(response, what, self.host)
            return responses.read_limited(response, DOCUMENT_LIMIT_BYTES, what), response.headers.get("Link", "")
        finally:
            response.close()

    def authorize(self, credentials: Credentials) -> None:
        """Use `credentials` instead of those in the user's files."""
        self._transport.authorize(credentials)

    def manifest(self, reference: str, *, what: str) -> Fetched:
        """The manifest or index called `reference` (a tag or digest), verified.

        Raises NotFound, Unavailable, Corrupt; transient failures are retried before that.
        """
        path = f"/v2/{self.repository}/manifests/{reference}"
        return responses.with_retries(lambda: self._manifest(path, reference, what))

    def small_blob(self, descriptor: Descriptor, *, what: str) -> bytes:
        """A blob that is kept in memory (a configuration), verified; at most the manifest limit."""

        def fetch() -> bytes:
            blob = self.blob(descriptor.digest)
            try:
                data = responses.read_limited(blob.response, DOCUMENT_LIMIT_BYTES, what)
            finally:
                blob.response.close()
            verify(data, descriptor.digest, what)
            return data

        return responses.with_retries(fetch)

    def blob(self, digest: str, *, offset: int = 0) -> Blob:
        """Start to download a blob at `offset` bytes. Raises Transient where trying again may help."""
        headers = {"Range": f"bytes={offset}-"} if offset else {}
        response = self._transport.request("GET", f"/v2/{self.repository}/blobs/{digest}", headers)
        if response.status == 206 and offset:
            content_range = response.headers.get("Content-Range", "")
            if content_range.startswith(f"bytes {offset}-"):
                return Blob(offset, responses.chunks(response, _CHUNK_BYTES), response)
            response.close()
            return self.blob(digest)
        if response.status == 416 and offset:
            response.close()
            return self.blob(digest)
        if response.status != 200:
            try:
                raise responses.error_for(response, f"blob {digest}", f"{self.host}/{self.repository}")
            finally:
                response.close()
        return Blob(0, responses.chunks(response, _CHUNK_BYTES), response)

    def _manifest(self, path: str, reference: str, what: str) -> Fetched:
        response = self._transport.request("GET", path, {"Accept": ", ".join(ACCEPTED)})
        try:
            if response.status != 200:
                raise responses.error_for(response, f"manifest for {what}", f"{self.host}/{self.repository}")
            media_type = response.headers.get("Content-Type", "")
            promised = response.headers.get("Docker-Content-Digest", "")
            data = responses.read_limited(response, DOCUMENT_LIMIT_BYTES, f"the manifest of {what}")
        finally:
            response.close()
        if is_digest(reference):
            verify(data, reference, f"the manifest of {what}")
        elif is_digest(promised) and promised.startswith("sha256:"):
            verify(data, promised, f"the manifest of {what}")
        return Fetched(data, media_type, "sha256:" + hashlib.sha256(data).hexdigest())


def verify(data: bytes, digest: str, what: str) -> None:
    """Raise Corrupt unless `data` has the (sha256, sha384 or sha512) `digest`."""
    algorithm = digest.partition(":")[0]
    found = f"{algorithm}:{hashlib.new(algorithm, data).hexdigest()}"
    if found != digest:
        raise Corrupt(f"{what} does not match its digest: expected {digest}, got {found}")
