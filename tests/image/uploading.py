"""What tests of uploads share: a registry that answers fast, an uploader, a blob."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from rootless.image.registry import blob_upload, responses
from rootless.image.registry.blob_upload import Content
from rootless.image.registry.registries_conf import Endpoint
from rootless.image.registry.upload import Uploader
from tests.harness.writable_registry import WritableRegistry, digest_of

BLOB = os.urandom(300_000)
DIGEST = digest_of(BLOB)


@pytest.fixture(name="registry")
def quick_registry(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[WritableRegistry]:
    monkeypatch.setattr(responses, "FIRST_DELAY_S", 0.01)
    monkeypatch.setattr(blob_upload, "_CHUNKS_BYTES", (100_000, 50_000))
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "REGISTRY_AUTH_FILE", "DOCKER_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    with WritableRegistry() as server:
        yield server


def uploader(server: WritableRegistry, repository: str = "a/b") -> Uploader:
    return Uploader(Endpoint(server.address, repository, False))


def content(data: bytes = BLOB, digest: str = "") -> Content:
    def read(start: int, stop: int) -> Iterator[bytes]:
        for at in range(start, stop, 10_000):
            yield data[at : min(at + 10_000, stop)]

    return Content(digest or digest_of(data), len(data), read)


def upload(server: WritableRegistry) -> list[int]:
    sent: list[int] = []
    uploader(server).upload(content(), sent=sent.append)
    assert server.blobs["a/b"] == {DIGEST: BLOB}
    return sent
