"""Requests to one registry: authenticated, redirected, over TLS where it speaks that.

Tokens are fetched when asked for, secrets never leave for another host, and transient failures are told
from final ones. Knows HTTP, and nothing of manifests and blobs. Blocking, one thread.
After a fork call `reset()`: connections are not shared between processes.
"""

from __future__ import annotations

import copy
import ssl
from collections.abc import Callable, Iterable
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

from rootless.errors import InvalidInput, NotFound, RootlessError, Unavailable
from rootless.image.registry import connection
from rootless.image.registry.auth_file import Credentials
from rootless.image.registry.authorization import Authorizer
from rootless.image.registry.registries_conf import Endpoint
from rootless.image.registry.responses import Transient

_REDIRECTS = (301, 302, 303, 307, 308)
_REDIRECTS_OF_A_BODY = (307, 308)
"""What says that method and body are sent again; a PUT that became a GET would store nothing."""
_REDIRECTS_LIMIT = 6

Body = Callable[[], "Iterable[bytes] | bytes"]
"""Makes the body anew for each attempt; its length is in the headers."""


class Transport:
    """One registry, asked on behalf of one repository.

    `tls_verify=False` allows plain http and unknown certificates, as does an endpoint marked insecure.
    `scopes` are what a token is asked for, where the registry's own word does not suffice.
    """

    def __init__(self, endpoint: Endpoint, *, tls_verify: bool = True, scopes: tuple[str, ...] = ()) -> None:
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
        self._authorizer = Authorizer(endpoint.registry, endpoint.repository, scopes)

    def reset(self) -> None:
        """Forget connections, keep tokens: first thing in a forked child."""
        self._pools = {}

    def twin(self) -> Transport:
        """The same with connections and tokens of its own from here on, for another thread."""
        twin = copy.copy(self)
        twin._pools = {}
        twin._authorizer = copy.copy(self._authorizer)
        return twin

    def authorize(self, credentials: Credentials) -> None:
        """Use `credentials` instead of those in the user's files."""
        self._authorizer.use(credentials)

    def adopt(self, other: Transport) -> None:
        """Use the credentials that `other` has found for the same registry."""
        self._authorizer.adopt(other._authorizer)

    def request(
        self, method: str, target: str, headers: dict[str, str], body: Body | None = None
    ) -> BaseHTTPResponse:
        """One request, authenticated, redirects followed. The caller closes the response.

        `target` is a path, or an address that the registry gave: elsewhere than at the registry it gets no
        secrets. Raises Transient where trying again may help.
        """
        response, at_home = self._send_first(method, target, headers, body)
        # Another host's challenge would name a token server of its own, which is to see no password of ours.
        if response.status == 401 and at_home:
            challenges = response.headers.getlist("WWW-Authenticate")
            response.close()
            if self._authorizer.answer(challenges, self._fetch_token, secure=self._secure):
                response, at_home = self._send_first(method, target, headers, body)
        if response.status in (401, 403) and at_home and self._authorizer.lookup_error is not None:
            response.close()
            raise self._authorizer.lookup_error
        return response

    def _send_first(
        self, method: str, target: str, headers: dict[str, str], body: Body | None
    ) -> tuple[BaseHTTPResponse, bool]:
        """The response, and whether it is the registry's own: a redirect may have led elsewhere."""
        if not self._scheme and self._loopback and not connection.speaks_tls(parse_url(f"https://{self.host}")):
            self._scheme = "http"
        for scheme in [self._scheme] if self._scheme else self._schemes():
            try:
                found = self._follow(method, f"{scheme}://{self.host}", target, headers, body)
            except _NoTLS as failed:
                if scheme == "https" and not self._scheme and "http" in self._schemes():
                    continue
                raise failed.error from None
            self._scheme = scheme
            return found
        raise Unavailable(f"{self.host} does not answer")

    def _schemes(self) -> list[str]:
        return ["https", "http"] if self.insecure or self._loopback else ["https"]

    @property
    def _secure(self) -> bool:
        return self._scheme == "https" and not self.insecure

    def _follow(
        self, method: str, base: str, target: str, headers: dict[str, str], body: Body | None
    ) -> tuple[BaseHTTPResponse, bool]:
        home = parse_url(base)
        redirects = _REDIRECTS if body is None else _REDIRECTS_OF_A_BODY
        address = self._resolved(base, target, home, "names an address")
        for _ in range(_REDIRECTS_LIMIT):
            url = parse_url(address)
            at_home = _place(url) == _place(home)
            secrets = self._authorizer.headers() if at_home else {}
            response = self._send(method, url, {**headers, **secrets}, at_home=at_home, body=body)
            if response.status not in redirects or "Location" not in response.headers:
                return response, at_home
            response.close()
            address = self._resolved(address, response.headers["Location"], home, "redirects")
        raise Unavailable(f"{self.host} redirects in circles")

    def _resolved(self, base: str, target: str, home: Url, does: str) -> str:
        """`target`, seen from `base`, as an address that we may ask."""
        try:
            address = urljoin(base, target)
            scheme = parse_url(address).scheme
        except (LocationParseError, ValueError):
            raise Unavailable(f"{self.host} {does} to a place that is no URL") from None
        if scheme not in ("http", "https"):
            raise Unavailable(f"{self.host} {does} to a {scheme} address")
        if scheme == "http" and home.scheme == "https" and not self.insecure:
            raise Unavailable(
                f"{self.host} {does} from https to plain http",
                hint="--tls-verify=false or `insecure = true` in registries.conf allow that",
            )
        return address

    def _fetch_token(
        self, method: str, address: str, headers: dict[str, str], body: bytes | None
    ) -> BaseHTTPResponse:
        return self._send(
            method, parse_url(address), headers, at_home=False, body=None if body is None else lambda: body
        )

    def _send(
        self, method: str, url: Url, headers: dict[str, str], *, at_home: bool, body: Body | None = None
    ) -> BaseHTTPResponse:
        key = (url.scheme or "", url.netloc or "", at_home)
        if key not in self._pools:
            # Elsewhere than at home the registry's own client certificate is not shown.
            host = self.host if at_home else (url.netloc or "").rpartition("@")[2]
            context = connection.tls_context(host, verify=not self.insecure) if connection.needs_tls(url) else None
            self._pools[key] = connection.open_pool(url, context)
        pool, proxy_headers = self._pools[key]
        sent = {"User-Agent": connection.USER_AGENT, "Accept-Encoding": "identity"} | headers | proxy_headers
        try:
            return pool.request(
                method,
                url.url,
                headers=sent,
                body=None if body is None else body(),
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


def _place(url: Url) -> tuple[str | None, str | None, int | None]:
    return url.scheme, url.host, url.port or {"http": 80, "https": 443}.get(url.scheme or "")


def _connection_error(error: HTTPError, url: Url) -> RootlessError | Transient | _NoTLS:
    host = url.netloc or ""
    if isinstance(error, ProxyError):
        return Unavailable(
            f"cannot reach {host} through the proxy: {connection.reason(error)}",
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
        why = connection.reason(error)
        if url.scheme == "https" and "refused" in why:
            return _NoTLS(Unavailable(f"cannot connect to {host}: {why}", hint="is a registry running there?"))
        return Unavailable(f"cannot connect to {host}: {why}")
    return Transient(Unavailable(f"lost the connection to {host}: {str(error)[:200]}"))
