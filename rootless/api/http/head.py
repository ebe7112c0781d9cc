"""A request's head: its version, path and query, and what is refused before anything else is looked at.

Used by the front and the worker alike, on the same bytes, so that both see one request.
"""

from __future__ import annotations

import h11

from rootless.api import versions
from rootless.api.http.limits import HEAD_LIMIT
from rootless.errors import InvalidInput
from rootless.record import Record


class Head(Record):
    """A request's line and headers. `path` is without its version, and as it was sent: percent-encoded."""

    method: str
    version: versions.Version
    path: str
    query: str
    headers: dict[str, str]

    @property
    def upgrade(self) -> str:
        """The protocol that an upgrade is asked to, in lower case; "" for none."""
        wanted = self.headers.get("upgrade", "").lower()
        return wanted if "upgrade" in self.headers.get("connection", "").lower() else ""


def parser() -> h11.Connection:
    """A server's side of one connection's next request."""
    return h11.Connection(h11.SERVER, max_incomplete_event_size=HEAD_LIMIT)


def read(request: h11.Request) -> Head:
    """The head of `request`. InvalidInput for what two readers could understand in two ways, and for a version
    that is not spoken here."""
    headers: dict[str, str] = {}
    for name, value in request.headers:
        key = name.decode("ascii")
        if key in headers and key in ("content-length", "transfer-encoding", "host", "content-type"):
            raise InvalidInput(f"the header {key} is there twice")
        headers[key] = f"{headers[key]}, {text(value)}" if key in headers else text(value)
    if "transfer-encoding" in headers:
        if "content-length" in headers:
            raise InvalidInput("a body has Content-Length or Transfer-Encoding, not both")
        if request.http_version < b"1.1":
            raise InvalidInput("HTTP/1.0 has no Transfer-Encoding")
    target = request.target.decode("ascii", "strict")
    if target.startswith(("http://", "https://")):  # RFC 9112, absolute-form: every server takes it
        target = "/" + target.partition("://")[2].partition("/")[2]
    path, _, query = target.partition("?")
    version, path = _versioned(path)
    return Head(request.method.decode("ascii"), version, path, query, headers)


def text(value: bytes) -> str:
    """A header's value: Latin-1, as RFC 9110 leaves it."""
    return value.decode("latin-1")


def _versioned(path: str) -> tuple[versions.Version, str]:
    """`/v1.44/info` -> ((1, 44), `/info`)."""
    first, slash, rest = path[1:].partition("/")
    word = first[1:]
    if not (slash and first.startswith("v") and word and set(word) <= set("0123456789.")):
        return versions.ADVERTISED, path
    return versions.parse(word), "/" + rest
