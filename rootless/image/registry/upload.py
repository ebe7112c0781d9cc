"""Writing to a registry: blobs and manifests, by the OCI distribution API v1.1.

Speaks for one repository at one endpoint; blob_upload.py is how a blob goes up. Blocking, one thread. After a
fork call `reset()`.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from urllib.parse import urlencode

from rootless.errors import RootlessError, Unavailable
from rootless.image.registry import responses
from rootless.image.registry.auth_file import Credentials
from rootless.image.registry.blob_stream import BlobStream
from rootless.image.registry.blob_upload import BlobUpload, Content, Place, Sent
from rootless.image.registry.registries_conf import Endpoint
from rootless.image.registry.responses import Transient
from rootless.image.registry.transport import Transport

_REFUSALS = (400, 406, 415)


class ManifestRefused(Unavailable):
    """The registry does not take a manifest like this: perhaps one of the other family."""


class Uploader:
    """One repository at one endpoint, to be written to."""

    def __init__(
        self, endpoint: Endpoint, *, tls_verify: bool = True, credentials: Credentials | None = None
    ) -> None:
        self.registry = endpoint.registry
        self.repository = endpoint.repository
        self._endpoint = endpoint
        self._tls_verify = tls_verify
        self._scope = f"repository:{endpoint.repository}:pull,push"
        self._transport = Transport(endpoint, tls_verify=tls_verify, scopes=(self._scope,))
        if credentials is not None:
            self._transport.authorize(credentials)
        self.host = self._transport.host
        self._where = f"{self.host}/{self.repository}"
        self._base = f"/v2/{self.repository}"

    def reset(self) -> None:
        """Forget connections, keep tokens: first thing in a forked child."""
        self._transport.reset()

    def twin(self) -> Uploader:
        """The same with connections of its own, for another thread."""
        twin = copy.copy(self)
        twin._transport = self._transport.twin()
        return twin

    def has_blob(self, digest: str) -> bool:
        """Whether the repository has the blob. An answer that is neither yes nor no counts as no."""

        def ask() -> bool:
            response = self._transport.request("HEAD", f"{self._base}/blobs/{digest}", {})
            responses.finish(response)
            if response.status in responses.TRANSIENT:
                raise responses.error_for(response, f"blob {digest}", self._where)
            return 200 <= response.status < 300

        return responses.with_retries(ask)

    def mount(self, digest: str, source: str) -> bool:
        """Have the registry take the blob from its repository `source`; False where it does not.

        Asks for a token of its own: some registries (GitLab) refuse one for two repositories, and that must
        not cost us the push.
        """
        query = urlencode({"mount": digest, "from": source})
        transport = Transport(
            self._endpoint, tls_verify=self._tls_verify, scopes=(self._scope, f"repository:{source}:pull")
        )
        transport.adopt(self._transport)
        try:
            response = transport.request("POST", f"{self._base}/blobs/uploads/?{query}", {"Content-Length": "0"})
            responses.finish(response)
        except (RootlessError, Transient):
            return False
        # 202: it began an upload instead, which we leave to expire; a new one is begun with our own token.
        return response.status == 201

    def upload(
        self,
        content: Content,
        *,
        sent: Sent,
        retrying: Callable[[str], None] = lambda _: None,
        begun: Place | None = None,
    ) -> None:
        """Upload the blob. Tried again with growing pauses, from where the registry says that it is.

        `begun` is an upload of the same bytes that broke. Raises NotFound where we are not let in, Unavailable,
        Corrupt.
        """
        BlobUpload(self._transport, self._base, self._where, content, sent, retrying).run(begun)

    def stream(self) -> BlobStream:
        """An upload that needs to know neither size nor digest before its end; it may fail where `upload` does not."""
        return BlobStream(self._transport, self._base, self._where)

    def put_manifest(self, reference: str, data: bytes, media_type: str, digest: str) -> None:
        """Store a manifest or index under `reference` (a tag or its digest). Raises as `upload`, and ManifestRefused."""

        def put() -> None:
            headers = {"Content-Type": media_type, "Content-Length": str(len(data))}
            response = self._transport.request(
                "PUT", f"{self._base}/manifests/{reference}", headers, lambda: data
            )
            if not 200 <= response.status < 300:
                error = responses.refusal(response, f"manifest {reference}", self._where)
                if response.status in _REFUSALS and isinstance(error, RootlessError):
                    raise ManifestRefused(error.message, hint=error.hint)
                raise error
            responses.finish(response)
            responses.check_digest(response, digest, self._where)

        responses.with_retries(put)
