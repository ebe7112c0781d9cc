"""A layer that goes up while it is packed, and what is done where the registry does not take it like that."""

from __future__ import annotations

import gzip
import json
import os
import threading
from pathlib import Path

import pytest

from rootless.image.registry import connection
from tests.harness.command import Rootless
from tests.harness.writable_registry import Handler, WritableRegistry, digest_of
from tests.image.uploading import content, quick_registry, uploader

BYTES = 12_000_000
registry = quick_registry


@pytest.fixture(name="built")
def image_of_noise(rootless: Rootless, tmp_path: Path) -> str:
    """An image of one layer that has never been packed and does not shrink."""
    (tmp_path / "noise").write_bytes(os.urandom(BYTES))
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY noise /\n")
    rootless("build", "-q", "-t", "noise", tmp_path)
    return "noise"


def push(rootless: Rootless, server: WritableRegistry, image: str) -> list[str]:
    """Push it; the methods that the upload of its layer took. What is there then is the layer."""
    rootless("push", image, f"{server.address}/x")
    layer = server.document("x")["layers"][0]
    packed = server.blobs["x"][layer["digest"]]
    diff_id = json.loads(rootless("image", "inspect", image).stdout)[0]["RootFS"]["Layers"][0]
    assert digest_of(gzip.decompress(packed)) == diff_id
    return server.methods()[:-2]  # the configuration takes POST and PUT


def test_it_goes_up_while_it_is_packed(rootless: Rootless, built: str) -> None:
    """Its size is not said, since nobody knows it when the first byte goes up; and it goes up once."""
    with WritableRegistry() as server:
        assert push(rootless, server, built) == ["POST", "PATCH", "PUT"]
        patch = next(seen for seen in server.seen if seen.method == "PATCH")
        assert patch.headers["Transfer-Encoding"] == "chunked"
        assert "Content-Range" not in patch.headers


@pytest.mark.parametrize("status", [400, 404, 405, 411, 413, 416, 500, 501])
def test_a_registry_that_wants_a_size(rootless: Rootless, built: str, status: int) -> None:
    with WritableRegistry() as server:
        server.stream = status
        assert push(rootless, server, built) == ["POST", "PATCH", "POST", "PUT"]


def test_a_proxy_that_limits_bodies(rootless: Rootless, built: str) -> None:
    """Known only when so much has gone up; then whole is refused, too, and chunks are left."""
    with WritableRegistry() as server:
        server.body_limit = 8_000_000
        methods = push(rootless, server, built)
        assert methods[:4] == ["POST", "PATCH", "POST", "PUT"]
        assert methods.count("PATCH") > 2


@pytest.mark.parametrize("kept", [0, 3])
def test_a_connection_that_breaks(rootless: Rootless, built: str, kept: int) -> None:
    """What the registry has of it is not sent again."""
    with WritableRegistry() as server:
        broken = [1]

        def break_off(handler: Handler) -> bool:
            if not handler.is_stream or not broken:
                return False
            broken.pop()
            held = server.uploads[handler.path.rpartition("/")[2]]
            blocks = handler.blocks()
            for _ in range(kept):
                held += next(blocks)
            handler.close_connection = True
            return True

        server.before = break_off
        methods = push(rootless, server, built)
        if kept:
            assert methods == ["POST", "PATCH", "GET", "PATCH", "PUT"]
            ranges = [seen.headers["Content-Range"] for seen in server.seen if "Content-Range" in seen.headers]
            assert not ranges[0].startswith("0-")
        else:
            assert methods == ["POST", "PATCH", "GET", "POST", "PUT"]


def test_an_upload_that_is_forgotten(rootless: Rootless, built: str) -> None:
    """All is sent, and the registry does not know of it: several servers behind one name."""
    with WritableRegistry() as server:
        lost = [1]

        def forget(handler: Handler) -> bool:
            if handler.command == "PUT" and "uploads" in handler.path and lost:
                lost.pop()
                handler.discard()
                handler.refuse(404, "BLOB_UPLOAD_UNKNOWN")
                return True
            return False

        server.before = forget
        assert push(rootless, server, built) == ["POST", "PATCH", "PUT", "POST", "PUT"]


def test_a_refusal_ends_the_packing(rootless: Rootless, built: str) -> None:
    with WritableRegistry() as server:

        def refuse(handler: Handler) -> bool:
            if handler.command == "POST":
                handler.discard()
                handler.refuse(403, "DENIED")
            return handler.command == "POST"

        server.before = refuse
        failed = rootless("push", built, f"{server.address}/x", status=1)
        assert f"access to {server.address}/x denied" in failed.stderr
        assert server.methods() == ["POST"]


def test_what_another_has_pushed_meanwhile_is_not_sent_to_the_end(rootless: Rootless, built: str) -> None:
    """The digest is known when all is packed: the registry is asked then, while the sending is still under way."""
    with WritableRegistry() as server:
        push(rootless, server, built)
        layer = server.document("x")["layers"][0]["digest"]
        for path in rootless.root.glob("layers/*/blobs.json"):
            path.unlink()  # as in the store of somebody else who built the same
        asked = threading.Event()

        def hold(handler: Handler) -> bool:
            if handler.command == "HEAD" and handler.path.endswith(layer):
                asked.set()
            elif handler.is_stream:
                assert asked.wait(60)
            return False

        server.before = hold
        server.seen.clear()
        push(rootless, server, built)
        assert "PUT" not in [seen.method for seen in server.seen if layer.replace(":", "%3A") in seen.path]


def test_a_registry_that_stalls(registry: WritableRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    """The stream is given up, and the blob sent as any other is."""
    monkeypatch.setattr(connection, "READ_TIMEOUT_S", 0.5)
    monkeypatch.setattr(connection, "CONNECT_TIMEOUT_S", 0.5)
    released = threading.Event()

    def stall(handler: Handler) -> bool:
        if handler.is_stream:
            released.wait(60)
            handler.close_connection = True
        return handler.is_stream

    registry.before = stall
    data = os.urandom(20_000_000)  # more than the sockets' buffers take
    sending = uploader(registry)
    stream = sending.twin().stream()
    stream.begin()
    stream.send(lambda: content(data).read(0, len(data)))
    assert not stream.finish(digest_of(data))
    sending.upload(content(data), sent=lambda _: None, begun=stream.begun)
    released.set()
    assert registry.blobs["a/b"] == {digest_of(data): data}
