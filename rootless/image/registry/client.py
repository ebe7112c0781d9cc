"""Client of the OCI distribution API v1.1 (https://github.com/opencontainers/distribution-spec).

Speaks for one repository at one endpoint: authenticates when asked to, follows redirects
without taking secrets along, tells transient failures from final ones. Blocking, one thread, no store.
After a fork call `reset()`: connections are not shared between processes.
"""

from __future__ import annotations

import hashlib
import ssl
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import urljoin

import urllib3
from urllib3.exceptions import (
    HTTPError,
    LocationParseError,
    NameResolutionError,
    NewConnectionError,
    ProxyError,
    SSLError,
)
from urllib3.response import BaseHTTPResponse
from urllib3.util import Url, parse_url

from rootless.errors import Corrupt, InvalidInput, NotFound, RootlessError, Unavailable
from rootless.image.manifest import ACCEPTED, DOCUMENT_LIMIT_BYTES, Descriptor
from rootless.image.reference import is_digest
from rootless.image.registry import connection, responses
from rootless.image.registry.auth_file import Credentials
from rootless.image.registry.authorization import Authorizer
from rootless.image.registry.registries_conf import Endpoint
from rootless.image.registry.responses import Transient

_REDIRECTS = (301, 302, 303, 307, 308)
_REDIRECTS_LIMIT = 6
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
        self.repository = endpoint.repository
        self.host = "registry-1.docker.io" if endpoint.registry == "docker.io" else endpoint.registry
        try:
            parsed = parse_url("https://" + self.host)
        except LocationParseError:
            raise InvalidInput(f"{self.host!r} is no name of a registry") from None
        self.insecure = endpoint.insecure or not tls_verify
        # Decided by the first request; https unless that cannot be.
        self._scheme = ""
        self._loopback = connection.is_loopback(parsed.host or "")
        self._pools: dict[tuple[str, str, bool], tuple[urllib3.PoolManager, dict[str, str]]] = {}
        self._authorizer = Authorizer(endpoint.registry, endpoint.repository)

    def reset(self) -> None:
        """Forget connections, keep tokens: first thing in a forked child."""
        self._pools = {}

    def ping(self) -> None:
        """Raise unless the registry lets us in: what `login` checks. One round trip or two."""
        self.document("/v2/", what="login")

    def document(self, path: str, *, what: str) -> tuple[bytes, str]:
        """What is at `path`, a small answer that is no manifest, and its Link header or ""."""
        response = self._request("GET", path, {})
        try:
            if response.status != 200:
                raise responses.error_for(response, what, self.host)
            return responses.read_limited(response, DOCUMENT_LIMIT_BYTES, what), response.headers.get("Link", "")
        finally:
            response.close()

    def authorize(self, credentials: Credentials) -> None:
        """Use `credentials` instead of those in the user's files."""
        self._authorizer.use(credentials)

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
        response = self._request("GET", f"/v2/{self.repository}/blobs/{digest}", headers)
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
        response = self._request("GET", path, {"Accept": ", ".join(ACCEPTED)})
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

    def _request(self, method: str, path: str, headers: dict[str, str]) -> BaseHTTPResponse:
        """One request, authenticated, redirects followed. The caller closes the response."""
        response = self._send_first(method, path, headers)
        if response.status == 401:
            challenges = response.headers.getlist("WWW-Authenticate")
            response.close()
            if self._authorizer.answer(challenges, self._fetch_token, secure=self._secure):
                response = self._send_first(method, path, headers)
        return response

    def _send_first(self, method: str, path: str, headers: dict[str, str]) -> BaseHTTPResponse:
        headers = {**headers, **self._authorizer.headers()}
        for scheme in [self._scheme] if self._scheme else self._schemes():
            try:
                response = self._follow(method, f"{scheme}://{self.host}{path}", headers)
            except _NoTLS as failed:
                if scheme == "https" and not self._scheme and "http" in self._schemes():
                    continue
                raise failed.error from None
            self._scheme = scheme
            return response
        raise Unavailable(f"{self.host} does not answer")

    def _schemes(self) -> list[str]:
        return ["https", "http"] if self.insecure or self._loopback else ["https"]

    @property
    def _secure(self) -> bool:
        return self._scheme == "https" and not self.insecure

    def _follow(self, method: str, address: str, headers: dict[str, str]) -> BaseHTTPResponse:
        home = parse_url(address)
        for _ in range(_REDIRECTS_LIMIT):
            url = parse_url(address)
            at_home = (url.scheme, url.host, url.port) == (home.scheme, home.host, home.port)
            sent = headers if at_home else _without_secrets(headers)
            response = self._send(method, url, sent, at_home=at_home)
            if response.status not in _REDIRECTS or "Location" not in response.headers:
                return response
            response.close()
            try:
                target = urljoin(address, response.headers["Location"])
                scheme = parse_url(target).scheme
            except (LocationParseError, ValueError):
                raise Unavailable(f"{self.host} redirects to a place that is no URL") from None
            if scheme not in ("http", "https"):
                raise Unavailable(f"{self.host} redirects to a {scheme} address")
            if scheme == "http" and home.scheme == "https" and not self.insecure:
                raise Unavailable(
                    f"{self.host} redirects from https to plain http",
                    hint="--tls-verify=false or `insecure = true` in registries.conf allow that",
                )
            address = target
        raise Unavailable(f"{self.host} redirects in circles")

    def _fetch_token(
        self, method: str, address: str, headers: dict[str, str], body: bytes | None
    ) -> BaseHTTPResponse:
        return self._send(method, parse_url(address), headers, at_home=False, body=body)

    def _send(
        self, method: str, url: Url, headers: dict[str, str], *, at_home: bool, body: bytes | None = None
    ) -> BaseHTTPResponse:
        key = (url.scheme or "", url.netloc or "", at_home)
        if key not in self._pools:
            # Elsewhere than at home the registry's own client certificate is not shown.
            host = self.host if at_home else (url.netloc or "").rpartition("@")[2]
            context = connection.tls_context(host, verify=not self.insecure)
            self._pools[key] = connection.open_pool(url, context)
        pool, proxy_headers = self._pools[key]
        sent = {"User-Agent": connection.USER_AGENT, "Accept-Encoding": "identity"} | headers | proxy_headers
        try:
            return pool.request(
                method,
                url.url,
                headers=sent,
                body=body,
                redirect=False,
                retries=False,
                preload_content=False,
                decode_content=False,
            )
        except HTTPError as error:
            raise _connection_error(error, url) from None
        except ValueError as error:
            raise Unavailable(f"cannot ask {url.host}: {error}") from None


class _NoTLS(Exception):
    """Nobody speaks TLS there; where plain http is allowed it is worth a try."""

    def __init__(self, error: RootlessError) -> None:
        super().__init__(str(error))
        self.error = error


def verify(data: bytes, digest: str, what: str) -> None:
    """Raise Corrupt unless `data` has the (sha256, sha384 or sha512) `digest`."""
    algorithm = digest.partition(":")[0]
    found = f"{algorithm}:{hashlib.new(algorithm, data).hexdigest()}"
    if found != digest:
        raise Corrupt(f"{what} does not match its digest: expected {digest}, got {found}")


def _without_secrets(headers: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.lower() not in ("authorization", "cookie")}


def _connection_error(error: HTTPError, url: Url) -> RootlessError | Transient | _NoTLS:
    host = url.netloc or ""
    if isinstance(error, ProxyError):
        return Unavailable(
            f"cannot reach {host} through the proxy: {error.original_error}",
            hint="see the variables https_proxy, http_proxy and no_proxy",
        )
    if isinstance(error, SSLError):
        cause = error.args[0] if error.args else error
        if isinstance(cause, ssl.SSLCertVerificationError):
            return Unavailable(
                f"the certificate of {host} is not trusted: {cause.verify_message}",
                hint=f"put its CA into ~/.config/containers/certs.d/{host}/ca.crt or name it in SSL_CERT_FILE",
            )
        if url.scheme == "https" and "CERTIFICATE_REQUIRED" not in str(cause):
            error_without_tls = Unavailable(
                f"{host} does not speak TLS properly: {cause}",
                hint="a registry with plain http needs --tls-verify=false or `insecure = true` in registries.conf",
            )
            return _NoTLS(error_without_tls)
        return Unavailable(f"{host} refused the TLS connection: {cause}")
    if isinstance(error, NameResolutionError):
        return NotFound(f"no such host: {url.host}", hint="is the name right, and is there a network?")
    if isinstance(error, NewConnectionError):
        reason = str(error).rpartition(": ")[2].rpartition("] ")[2].lower()  # without [Errno N]
        if url.scheme == "https" and "refused" in reason:
            return _NoTLS(
                Unavailable(f"cannot connect to {host}: {reason}", hint="is a registry running there?")
            )
        return Unavailable(f"cannot connect to {host}: {reason}")
    return Transient(Unavailable(f"lost the connection to {host}: {str(error)[:200]}"))
