"""Images that machines pull from the host, over its loopback, and downloads that stop half-way until they are let go."""

from __future__ import annotations

import io
import random
import tarfile
import threading

from tests.harness import images
from tests.harness.writable_registry import Handler, WritableRegistry, digest_of
from tests.image.publishing import publish

HOST = "10.0.2.2"  # the host's loopback, as a machine sees it
PULL = "rootless pull -q --tls-verify=false"
WAIT_S = 300.0


def layer(name: str, *, noise: int, files: int = 0) -> bytes:
    """A tar of busybox and its links, of /noise with so many random bytes, and of so many small files in /many."""
    data = io.BytesIO(images.busybox_layer(images.static_busybox()))
    source = random.Random(name)
    with tarfile.open(fileobj=data, mode="a") as tar:
        images.add(tar, "noise", source.randbytes(noise))
        for number in range(files):
            images.add(tar, f"many/{number}", b"%d" % number)
    return data.getvalue()


class Layers:
    """A registry with images of one layer each: `add` makes one, and says the name that a machine pulls.

    From `hold` on until `go` each download of a layer sends a half and waits. `downloads` counts them, by repository.
    """

    def __init__(self, server: WritableRegistry) -> None:
        self._server = server
        self._go = threading.Event()
        self._go.set()
        server.before = self._answer

    def add(self, repository: str, *, noise: int, files: int = 0) -> str:
        publish(self._server, repository, "amd64", layer=layer(repository, noise=noise, files=files))
        return f"{HOST}:{self._server.address.partition(':')[2]}/{repository}"

    def hold(self) -> None:
        self._go.clear()

    def go(self) -> None:
        self._go.set()

    def downloads(self, repository: str) -> int:
        large = self._large(repository)
        return sum(seen.method == "GET" and seen.path.endswith(large) for seen in list(self._server.seen))

    def asked(self, repository: str) -> int:
        """How many have asked for the image's manifest by its name."""
        return sum(seen.path == f"/v2/{repository}/manifests/latest" for seen in list(self._server.seen))

    def _large(self, repository: str) -> str:
        return digest_of(max(self._server.blobs[repository].values(), key=len))

    def _answer(self, handler: Handler) -> bool:
        parts = handler.path.strip("/").split("/")
        if handler.command != "GET" or "blobs" not in parts or self._go.is_set():
            return False
        repository = "/".join(parts[1 : parts.index("blobs")])
        if parts[-1] != self._large(repository):
            return False
        data = self._server.blobs[repository][parts[-1]]
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data[: len(data) // 2])
        handler.wfile.flush()
        self._go.wait(WAIT_S)
        handler.wfile.write(data[len(data) // 2 :])
        return True
