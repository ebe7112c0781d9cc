"""A small registry that misbehaves on demand: real sockets, real HTTP, behaviour instead of mocks."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"

Behaviour = Callable[["Handler"], bool]


def digest_of(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def tar_of(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


class StrangeRegistry:
    """Serves what it was given; `before` sees each request first and may answer it (returning True)."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}
        self.manifests: dict[str, tuple[str, bytes]] = {}
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        self.before: Behaviour = lambda _: False
        registry = self

        class Bound(Handler):
            strange = registry

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Bound)
        self._server.daemon_threads = True
        self.address = f"127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> StrangeRegistry:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def add_blob(self, data: bytes) -> str:
        self.blobs[digest_of(data)] = data
        return digest_of(data)

    def add_manifest(self, document: Any, *, tag: str = "latest", media_type: str = OCI_MANIFEST) -> str:
        data = document if isinstance(document, bytes) else json.dumps(document).encode()
        self.manifests[tag] = self.manifests[digest_of(data)] = (media_type, data)
        return digest_of(data)

    def add_image(self, layers: list[bytes], *, tag: str = "latest", level: int = 1, **config: Any) -> dict[str, Any]:
        """An image of uncompressed tars, which gzip packs at `level`; its manifest as a dict."""
        document = {
            "architecture": "amd64", "os": "linux", "config": {"Cmd": ["sh"]},
            "rootfs": {"type": "layers", "diff_ids": [digest_of(layer) for layer in layers]},
            **config,
        }  # fmt: skip
        data = json.dumps(document).encode()
        packed = [gzip.compress(layer, level, mtime=0) for layer in layers]
        manifest = {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": {"mediaType": OCI_CONFIG, "digest": self.add_blob(data), "size": len(data)},
            "layers": [
                {"mediaType": OCI_LAYER, "digest": self.add_blob(layer), "size": len(layer)}
                for layer in packed
            ],
        }
        self.add_manifest(manifest, tag=tag)
        return manifest

    def count(self, part: str) -> int:
        """How many requests had `part` in their path."""
        return sum(part in path for _, path, _ in self.requests)


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    strange: StrangeRegistry
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.strange.requests.append((self.command, self.path, dict(self.headers)))
        if not self.strange.before(self):
            self.answer()

    def answer(self) -> None:
        """As an honest registry would."""
        kind, _, name = self.path.rpartition("/")
        if kind.endswith("/manifests") and name in self.strange.manifests:
            media_type, data = self.strange.manifests[name]
            return self.reply(200, data, {"Content-Type": media_type})
        if kind.endswith("/blobs") and name in self.strange.blobs:
            data = self.strange.blobs[name]
            wanted = self.headers.get("Range", "")
            if wanted.startswith("bytes="):
                start = int(wanted[6:].rstrip("-"))
                total = len(data)
                return self.reply(206, data[start:], {"Content-Range": f"bytes {start}-{total - 1}/{total}"})
            return self.reply(200, data)
        if self.path == "/v2/":
            return self.reply(200, b"{}")
        code = "MANIFEST_UNKNOWN" if kind.endswith("/manifests") else "BLOB_UNKNOWN"
        return self.reply(404, json.dumps({"errors": [{"code": code, "message": "unknown here"}]}).encode())

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.do_GET()

    def reply(self, status: int, data: bytes = b"", headers: dict[str, str] | None = None) -> None:
        """A whole answer."""
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def cut(self, data: bytes, sent: int, *, status: int = 200) -> None:
        """Announce all of `data`, send some of it, hang up."""
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data[:sent])
        self.wfile.flush()
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Say nothing on stderr."""
