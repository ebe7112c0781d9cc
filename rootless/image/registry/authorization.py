"""Answers to a registry's 401: basic and bearer tokens.

Follows https://distribution.github.io/distribution/spec/auth/token/ and .../oauth/. A token
is asked for only when the registry names its realm, and kept for the life of this object.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from urllib.parse import urlencode

from urllib3.exceptions import LocationParseError
from urllib3.response import BaseHTTPResponse
from urllib3.util import parse_url

from rootless.errors import NotFound, Unavailable
from rootless.image.registry import auth_file, challenge, responses
from rootless.image.registry.auth_file import Credentials

_TOKEN_LIMIT_BYTES = 1 << 20

Send = Callable[[str, str, dict[str, str], "bytes | None"], BaseHTTPResponse]


class Authorizer:
    """What to say in the Authorization header for one repository."""

    def __init__(self, registry: str, repository: str, scopes: tuple[str, ...] = ()) -> None:
        self._registry = registry
        self._repository = repository
        self._scopes = scopes
        self._header: str | None = None
        self._looked_up = False
        self._credentials: Credentials | None = None
        self.lookup_error: Unavailable | None = None
        """Why the user's credentials could not be had; what is for everybody is to be had without."""

    def use(self, chosen: Credentials) -> None:
        """Use these instead of those in the user's files."""
        self._credentials, self._looked_up = chosen, True

    def adopt(self, other: Authorizer) -> None:
        """Know the credentials that `other` has looked up, so that no helper is asked twice."""
        if other._looked_up:
            self._credentials, self._looked_up = other._credentials, True
            self.lookup_error = other.lookup_error

    def headers(self) -> dict[str, str]:
        """What to add to a request to the registry itself, and to no other host."""
        return {"Authorization": self._header} if self._header else {}

    def answer(self, challenges: list[str], send: Send, *, secure: bool) -> bool:
        """Prepare for a second try after a 401; whether there is a point in one.

        Called again when a token has expired. Raises NotFound or Unavailable if the token
        server says no.
        """
        offered = [found for header in challenges for found in challenge.parse(header)]
        known = self._known_credentials()
        for found in offered:
            if found.scheme == "bearer" and found.parameters.get("realm"):
                try:
                    self._header = "Bearer " + self._fetch(found.parameters, known, send, secure=secure)
                except NotFound:
                    if self.lookup_error is not None:
                        raise self.lookup_error from None
                    raise
                return True
        if known and known.username and any(found.scheme == "basic" for found in offered):
            header = _basic(known)
            if header != self._header:
                self._header = header
                return True
        return False

    def _known_credentials(self) -> Credentials | None:
        if not self._looked_up:
            self._looked_up = True
            try:
                self._credentials = auth_file.find(self._registry, self._repository)
            except Unavailable as error:
                self.lookup_error = error
        return self._credentials

    def _fetch(
        self, parameters: dict[str, str], known: Credentials | None, send: Send, *, secure: bool
    ) -> str:
        realm = parameters["realm"]
        try:
            url = parse_url(realm)
        except LocationParseError:
            raise Unavailable(f"{self._registry} names a token server that is no URL") from None
        if url.scheme not in ("http", "https"):
            raise Unavailable(f"{self._registry} names a token server that is no URL")
        if secure and url.scheme == "http":
            raise Unavailable(
                f"{self._registry} wants us to authenticate over plain http at {url.host}",
                hint="--tls-verify=false allows that",
            )
        service = {"service": parameters["service"]} if parameters.get("service") else {}
        # What the registry names is enough for this one request, ours for all that follow it.
        scopes = self._scopes or (parameters.get("scope", ""),)
        if self._repository and not any(scopes):
            scopes = (f"repository:{self._repository}:pull",)
        scopes = tuple(scope for scope in scopes if scope)

        def ask() -> str:
            headers: dict[str, str] = {}
            if known and known.identity_token:
                form = {
                    **service,
                    **({"scope": " ".join(scopes)} if scopes else {}),
                    "grant_type": "refresh_token",
                    "refresh_token": known.identity_token,
                    "client_id": "rootless",
                }
                headers["Content-Type"] = "application/x-www-form-urlencoded"
                response = send("POST", realm, headers, urlencode(form).encode())
            else:
                if known:
                    headers["Authorization"] = _basic(known)
                joint = "&" if url.query else "?"
                query = urlencode([*service.items(), *(("scope", scope) for scope in scopes)])
                response = send("GET", realm + joint + query if query else realm, headers, None)
            return self._token(response)

        return responses.with_retries(ask)

    def _token(self, response: BaseHTTPResponse) -> str:
        try:
            if response.status != 200:
                raise responses.error_for(response, "token", f"{self._registry}/{self._repository}".rstrip("/"))
            data = responses.read_limited(response, _TOKEN_LIMIT_BYTES, "the token")
        finally:
            response.close()
        try:
            document = json.loads(data)
            token = document.get("token") or document.get("access_token")
        except (ValueError, AttributeError, RecursionError):
            token = None
        if not isinstance(token, str) or not token or not token.isascii() or not token.isprintable():
            raise NotFound(f"the token server of {self._registry} gave no token")
        return token


def _basic(known: Credentials) -> str:
    pair = f"{known.username}:{known.password}".encode()
    return "Basic " + base64.b64encode(pair).decode()
