"""A registry to push to that shows the quirks of real ones: real sockets, real HTTP.

Blobs belong to repositories, as in the distribution specification; every request is checked as strictly as the
strictest registry does. The attributes of WritableRegistry switch one quirk each on.
"""

from __future__ import annotations

import hashlib
import json
import threading
import uuid
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, urlsplit

Behaviour = Callable[["Handler"], bool]


def digest_of(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


class Seen:
    """One request as it came."""

    def __init__(self, method: str, path: str, headers: dict[str, str], size: int) -> None:
        self.method, self.path, self.headers, self.size = method, path, headers, size

    def __repr__(self) -> str:
        return f"{self.method} {self.path} ({self.size})"


class WritableRegistry:
    """An empty registry. `blobs[repository][digest]`, `manifests[repository][tag or digest]`."""

    def __init__(self) -> None:
        self.blobs: dict[str, dict[str, bytes]] = {}
        self.manifests: dict[str, dict[str, tuple[str, bytes]]] = {}
        self.uploads: dict[str, bytearray] = {}
        self.seen: list[Seen] = []
        self.before: Behaviour = lambda _: False
        self.mount = 201
        """What a mount is answered with: 201 does it, 202 begins an upload, 401, 403, 404 and 405 refuse."""
        self.patch = 202
        """What a good PATCH is answered with; 405 and the like refuse chunks."""
        self.stream = 202
        """What a PATCH of no stated size is answered with; 411 and the like refuse it before it is read."""
        self.chunk_limit = 0
        """A ranged chunk that is larger gets 416 (GHCR)."""
        self.body_limit = 0
        """A body that is larger gets 413 before it is read (proxies)."""
        self.least_chunk = 0
        self.location: Callable[[str], str] = lambda path: path
        """The address of an upload, of its path."""
        self.token: Callable[[list[str]], int] | None = None
        """With a function, a token is wanted; it answers the scopes that are asked for with a status."""
        self.scopes: list[list[str]] = []
        self.knows_oci = True
        """Without, a manifest of the OCI's types is refused, as by registries that are older."""
        registry = self

        class Bound(Handler):
            registry_of_handler = registry

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Bound)
        self._server.daemon_threads = True
        self.address = f"127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> WritableRegistry:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def methods(self, part: str = "/blobs/uploads/") -> list[str]:
        """The methods of all requests with `part` in their path, in order."""
        return [seen.method for seen in self.seen if part in seen.path]

    def document(self, repository: str, reference: str = "latest") -> Any:
        """The manifest, parsed."""
        return json.loads(self.manifests[repository][reference][1])


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    registry_of_handler: WritableRegistry
    protocol_version = "HTTP/1.1"

    @property
    def registry(self) -> WritableRegistry:
        return self.registry_of_handler

    @property
    def length(self) -> int:
        return int(self.headers.get("Content-Length", 0))

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except (ConnectionError, BrokenPipeError, ValueError):  # a size that is none: the sender has gone
            self.close_connection = True

    def do_GET(self) -> None:
        registry = self.registry
        registry.seen.append(Seen(self.command, self.path, dict(self.headers), self.length))
        if registry.before(self):
            return None
        if registry.body_limit and self.length > registry.body_limit:
            self.close_connection = True  # as nginx does: the answer comes before the body is read
            return self.reply(413, b"<html>too large</html>")
        parsed = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parsed.query).items()}
        if parsed.path == "/token":
            return self._token(parse_qs(parsed.query).get("scope", []))
        if registry.token is not None and self.headers.get("Authorization") != "Bearer good":
            self.discard()
            realm = f'Bearer realm="http://{registry.address}/token",service="test",scope="repository:x:pull"'
            return self.refuse(401, "UNAUTHORIZED", {"WWW-Authenticate": realm})
        parts = parsed.path.strip("/").split("/")
        if "uploads" in parts:
            at = parts.index("blobs")
            return self._upload("/".join(parts[1:at]), parts[-1] if parts[-1] != "uploads" else "", query)
        if len(parts) > 3 and parts[-2] in ("blobs", "manifests"):
            repository = "/".join(parts[1:-2])
            return (self._blob if parts[-2] == "blobs" else self._manifest)(repository, parts[-1])
        self.discard()
        return self.reply(200, b"{}")

    do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_GET

    def _token(self, scopes: list[str]) -> None:
        self.registry.scopes.append(scopes)
        assert self.registry.token is not None
        status = self.registry.token(scopes)
        if status == 200:
            return self.reply(200, json.dumps({"token": "good"}).encode())
        return self.refuse(status, "DENIED")

    def _blob(self, repository: str, digest: str) -> None:
        data = self.registry.blobs.get(repository, {}).get(digest)
        if data is None:
            return self.refuse(404, "BLOB_UNKNOWN")
        return self.reply(200, data)

    def _manifest(self, repository: str, reference: str) -> None:
        kept = self.registry.manifests.setdefault(repository, {})
        if self.command != "PUT":
            if reference not in kept:
                return self.refuse(404, "MANIFEST_UNKNOWN")
            media_type, data = kept[reference]
            return self.reply(200, data, {"Content-Type": media_type, "Docker-Content-Digest": digest_of(data)})
        data = self.body()
        document = json.loads(data)
        media_type = self.headers["Content-Type"]
        if document.get("mediaType") != media_type or (".oci." in media_type and not self.registry.knows_oci):
            return self.refuse(400, "MANIFEST_INVALID")
        for part in [document.get("config"), *document.get("layers", [])]:
            if part is not None and part["digest"] not in self.registry.blobs.get(repository, {}):
                return self.refuse(400, "MANIFEST_BLOB_UNKNOWN")
        for part in document.get("manifests", []):
            if part["digest"] not in kept:
                return self.refuse(400, "MANIFEST_UNKNOWN")
        kept[reference] = kept[digest_of(data)] = (media_type, data)
        return self.reply(201, b"", {"Docker-Content-Digest": digest_of(data), "Location": self.path})

    def _upload(self, repository: str, identity: str, query: dict[str, str]) -> None:
        registry = self.registry
        if self.command == "POST":
            self.discard()
            if "mount" in query:
                return self._mount(repository, query["mount"], query["from"])
            return self._begin(repository)
        if identity not in registry.uploads:
            self.discard()
            return self.refuse(404, "BLOB_UPLOAD_UNKNOWN")
        held = registry.uploads[identity]
        if self.command == "GET":
            return self.reply(204, b"", {"Range": f"0-{max(0, len(held) - 1)}", "Location": self._location(repository, identity)})
        if self.command == "PATCH":
            return self._patch(repository, identity, held)
        held += self.body()
        del registry.uploads[identity]
        if digest_of(bytes(held)) != query.get("digest"):
            return self.refuse(400, "DIGEST_INVALID")
        registry.blobs.setdefault(repository, {})[query["digest"]] = bytes(held)
        return self.reply(201, b"", {"Docker-Content-Digest": query["digest"], "Location": "/v2/"})

    def _begin(self, repository: str) -> None:
        identity = uuid.uuid4().hex
        self.registry.uploads[identity] = bytearray()
        headers = {"Location": self._location(repository, identity)}
        if self.registry.least_chunk:
            headers["OCI-Chunk-Min-Length"] = str(self.registry.least_chunk)
        return self.reply(202, b"", headers)

    def _location(self, repository: str, identity: str) -> str:
        return self.registry.location(f"/v2/{repository}/blobs/uploads/{identity}")

    def _mount(self, repository: str, digest: str, source: str) -> None:
        status = self.registry.mount
        if status == 201 and digest in self.registry.blobs.get(source, {}):
            self.registry.blobs.setdefault(repository, {})[digest] = self.registry.blobs[source][digest]
            return self.reply(201, b"", {"Location": f"/v2/{repository}/blobs/{digest}"})
        if status in (201, 202):
            return self._begin(repository)
        return self.refuse(status, "DENIED")

    def _patch(self, repository: str, identity: str, held: bytearray) -> None:
        if self.registry.patch >= 400:
            self.discard()
            return self.refuse(self.registry.patch, "UNSUPPORTED")
        if self.is_stream:
            return self._stream(repository, identity, held)
        first, _, last = self.headers["Content-Range"].partition("-")
        data = self.body()
        too_large = self.registry.chunk_limit and len(data) > self.registry.chunk_limit
        if too_large or int(first) != len(held) or int(last) - int(first) + 1 != len(data):
            return self.reply(416, b"", {"Range": f"0-{max(0, len(held) - 1)}"})
        held += data
        if self.registry.patch == 202:
            return self.reply(202, b"", {"Location": self._location(repository, identity), "Range": f"0-{len(held) - 1}"})
        return self.reply(self.registry.patch)  # ECR and Pulp: no more is said

    def _stream(self, repository: str, identity: str, held: bytearray) -> None:
        if self.registry.stream >= 400:
            self.close_connection = True
            return self.refuse(self.registry.stream, "UNSUPPORTED")
        for block in self.blocks():
            held += block
            if self.registry.body_limit and len(held) > self.registry.body_limit:
                self.close_connection = True
                return self.reply(413, b"<html>too large</html>")
        location = self._location(repository, identity)
        return self.reply(self.registry.stream, b"", {"Location": location, "Range": f"0-{len(held) - 1}"})

    @property
    def is_stream(self) -> bool:
        """Whether the body comes in chunks of HTTP, its size unsaid."""
        return self.headers.get("Transfer-Encoding") == "chunked"

    def blocks(self) -> Iterator[bytes]:
        """A body of no stated size, as it comes."""
        while size := int(self.rfile.readline(), 16):
            block = self.rfile.read(size)
            if len(block) != size:
                raise ConnectionAbortedError
            self.rfile.readline()
            yield block
        self.rfile.readline()

    def body(self) -> bytes:
        if self.is_stream:
            return b"".join(self.blocks())
        data = self.rfile.read(self.length)
        if len(data) != self.length:
            raise ConnectionAbortedError
        return data

    def discard(self) -> None:
        self.body()

    def hang_up(self, read: int = 0, *, kept: bytearray | None = None) -> None:
        """Read so much of the body, then end the connection without an answer."""
        data = self.rfile.read(read)
        if kept is not None:
            kept += data
        self.close_connection = True

    def refuse(self, status: int, code: str, headers: dict[str, str] | None = None) -> None:
        self.reply(status, json.dumps({"errors": [{"code": code, "message": code.lower()}]}).encode(), headers)

    def reply(self, status: int, data: bytes = b"", headers: dict[str, str] | None = None) -> None:
        """A whole answer."""
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD" and status != 204:
            self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Say nothing on stderr."""
