"""A request and its answer, as ASGI brings and takes them (https://asgi.readthedocs.io/en/latest/specs/www.html)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from urllib.parse import parse_qsl, quote

from rootless.console.sessions import Session

BODY_LIMIT = 1 << 20
"""Bytes of a request's body that is held in memory: a compose file, or a form."""
BODY_S = 30.0
"""Seconds in which that has to be there."""
UPLOAD_LIMIT = 16 << 30
"""Bytes of a file that is brought. It goes on as it comes."""

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'{styles}; img-src 'self'; connect-src 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
)


class Problem(Exception):
    """A request that is answered by `status` and `text`, which is for people."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


class Request:
    """What a browser asks for. `headers` by lower-case name; of a name that is there twice they are joined, Cookie by `;`."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self.method: str = scope.get("method", "GET")
        self.path: str = scope["path"]
        self._words = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        self.query: dict[str, str] = dict(self._words)
        self.headers: dict[str, str] = {}
        for name, value in scope["headers"]:
            key, text = name.decode("latin-1").lower(), value.decode("latin-1")
            if key in self.headers:
                text = self.headers[key] + ("; " if key == "cookie" else ", ") + text
            self.headers[key] = text
        self._receive = receive
        self.session: Session | None = None
        """Whose it is, once that has been looked up."""

    def words(self, key: str) -> list[str]:
        """All words of this name behind the question mark."""
        return [value for name, value in self._words if name == key]

    async def document(self) -> dict[str, Any]:
        """The body, an object of JSON. Problem for anything else: a form of another page can send no such thing."""
        if self.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
            raise Problem(415, "a change is sent as application/json")
        try:
            async with asyncio.timeout(BODY_S):
                body = await self._body()
        except TimeoutError:
            raise Problem(408, "the request's body does not come") from None
        try:
            found = json.loads(body)
        except (ValueError, RecursionError):
            raise Problem(400, "the request's body is no JSON") from None
        if not isinstance(found, dict):
            raise Problem(400, "the request's body is no object of JSON")
        return found

    def upload_size(self) -> int:
        """How many bytes `upload` is going to give. Problem for what no page of ours sends, and for more than UPLOAD_LIMIT."""
        if self.headers.get("content-type", "") != "application/octet-stream":
            raise Problem(415, "a file is sent as application/octet-stream")
        size = self.headers.get("content-length", "")
        if not (size.isascii() and size.isdigit() and len(size) < 20):
            raise Problem(411, "a file is sent with its size")
        if int(size) > UPLOAD_LIMIT:
            raise Problem(413, f"the file is larger than {UPLOAD_LIMIT >> 30} GiB")
        return int(size)

    async def upload(self) -> AsyncIterator[bytes]:
        """The body, piece by piece, which is a file. Each has to come within BODY_S seconds."""
        more = True
        while more:
            try:
                async with asyncio.timeout(BODY_S):
                    message = await self._receive()
            except TimeoutError:
                raise Problem(408, "the file does not come") from None
            if message["type"] == "http.disconnect":
                raise Problem(400, "the request's body breaks off")
            yield message.get("body", b"")
            more = message.get("more_body", False)

    async def _body(self) -> bytes:
        pieces, size = list[bytes](), 0
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise Problem(400, "the request's body breaks off")
            pieces.append(message.get("body", b""))
            size += len(pieces[-1])
            if size > BODY_LIMIT:
                raise Problem(413, f"the request's body is larger than {BODY_LIMIT >> 20} MiB")
            if not message.get("more_body"):
                return b"".join(pieces)

    async def gone(self) -> None:
        """Return when the browser has hung up: of a request without a body."""
        while (await self._receive())["type"] != "http.disconnect":
            pass


class Answer:
    """`body`: bytes, or pieces as they come. `styles`: the page has <style> elements of a library's. `end`: what is called when the
    answer is over, however it came to that."""

    def __init__(
        self, body: bytes | AsyncIterator[bytes], kind: str = "text/html; charset=utf-8", *, status: int = 200,
        headers: dict[str, str] | None = None, styles: bool = False, end: Callable[[], Awaitable[None]] | None = None,
    ) -> None:  # fmt: skip
        self.body = body
        self.status = status
        self.end = end
        policy = POLICY.format(styles=" 'unsafe-inline'" if styles else "")
        self.headers = {**HEADERS, "Content-Security-Policy": policy, "Content-Type": kind, **(headers or {})}

    async def send(self, send: Send) -> None:
        """The answer, head and body."""
        if isinstance(self.body, bytes):
            self.headers["Content-Length"] = str(len(self.body))
        head = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in self.headers.items()]
        await send({"type": "http.response.start", "status": self.status, "headers": head})
        if isinstance(self.body, bytes):
            await send({"type": "http.response.body", "body": self.body})
            return
        async for piece in self.body:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


def json_answer(document: object, status: int = 200, headers: dict[str, str] | None = None) -> Answer:
    """A document for a page's script."""
    return Answer(json.dumps(document).encode(), "application/json", status=status, headers=headers)


def redirect(where: str) -> Answer:
    """303: look there."""
    return Answer(b"", "text/plain", status=303, headers={"Location": where})


def attachment(name: str) -> dict[str, str]:
    """Headers of what is taken away as a file called `name`, a stranger's word (RFC 6266, RFC 8187). It is no page of ours, whatever
    is in it: no browser shows it, and one that did would run nothing of it."""
    plain = "".join(each if each.isascii() and (each.isalnum() or each in "._-") else "_" for each in name) or "_"
    exact = quote(name.encode("utf-8", "replace"), safe="")
    return {"Content-Disposition": f"attachment; filename=\"{plain}\"; filename*=UTF-8''{exact}", "Content-Security-Policy": "sandbox"}
