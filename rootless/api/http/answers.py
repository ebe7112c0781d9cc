"""Answers in one piece. Knows no engine: the front uses it."""

from __future__ import annotations

from http import HTTPStatus

import h11

from rootless.api import versions

JSON = "application/json"
"""Nothing behind it: Go's clients compare the whole value."""
TEXT = "text/plain; charset=utf-8"
Headers = list[tuple[str, str]]


def encode(
    parser: h11.Connection, method: str, status: int, kind: str, body: bytes, *, more: Headers | None = None, close: bool = False
) -> bytes:
    """A whole answer as bytes, its body left out where the request was a HEAD and where the status has none."""
    headers = [*versions.headers(), *(more or [])]
    if status not in (204, 304):
        headers += [("Content-Type", kind), ("Content-Length", str(len(body)))]
    if close:
        headers.append(("Connection", "close"))
    found = parser.send(h11.Response(status_code=status, headers=headers, reason=reason(status))) or b""
    if body and method != "HEAD" and status not in (204, 304):
        found += parser.send(h11.Data(data=body)) or b""
    return found + (parser.send(h11.EndOfMessage()) or b"")


def reason(status: int) -> bytes:
    """The words behind a status."""
    return HTTPStatus(status).phrase.encode()


def raw(status: int, body: bytes) -> bytes:
    """An answer to what is no request, and the last on its connection."""
    headers = "".join(f"{name}: {value}\r\n" for name, value in versions.headers())
    return (
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n{headers}Content-Type: {JSON}\r\nContent-Length: {len(body)}\r\n"
        "Connection: close\r\n\r\n"
    ).encode() + body
