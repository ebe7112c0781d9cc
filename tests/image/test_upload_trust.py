"""Who is let in, who gets secrets, and what is believed while uploading."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from rootless.errors import Corrupt, NotFound, Unavailable
from rootless.image.registry.auth_file import Credentials
from rootless.image.registry.registries_conf import Endpoint
from rootless.image.registry.upload import Uploader
from tests.harness.writable_registry import Handler, WritableRegistry, digest_of
from tests.image.uploading import BLOB, DIGEST, content, quick_registry, upload, uploader

__all__ = ["quick_registry"]


def test_another_host_gets_the_blob_and_no_secrets(registry: WritableRegistry) -> None:
    registry.token = lambda _: 200
    with WritableRegistry() as storage:

        def to_storage(path: str) -> str:
            storage.uploads[path.rpartition("/")[2]] = bytearray()
            return f"http://{storage.address}{path}?signature=1"

        registry.location = to_storage
        uploader(registry).upload(content(), sent=lambda _: None)
        assert storage.blobs["a/b"] == {DIGEST: BLOB}
        assert [seen.method for seen in storage.seen] == ["PUT"]
        assert "Authorization" not in storage.seen[0].headers
    assert any("Authorization" in seen.headers for seen in registry.seen)


def test_another_hosts_challenge_is_not_answered(registry: WritableRegistry) -> None:
    """A storage that asks for a password would get that of the registry."""
    registry.token = lambda _: 200
    with WritableRegistry() as storage:
        asked: list[str] = []

        def challenge(handler: Handler) -> bool:
            asked.append(handler.path)
            handler.discard()
            realm = f'Basic realm="x", Bearer realm="http://{storage.address}/steal"'
            handler.refuse(401, "UNAUTHORIZED", {"WWW-Authenticate": realm})
            return True

        storage.before = challenge
        registry.location = lambda path: f"http://{storage.address}{path}"
        client = Uploader(Endpoint(registry.address, "a/b", False), credentials=Credentials("me", "secret"))
        with pytest.raises(NotFound, match="denied"):
            client.upload(content(), sent=lambda _: None)
        assert not [path for path in asked if "steal" in path]
        assert not [seen for seen in storage.seen if "Authorization" in seen.headers]


def test_a_redirected_upload_sends_the_body_again(registry: WritableRegistry) -> None:
    with WritableRegistry() as storage:

        def redirect(handler: Handler) -> bool:
            if handler.command != "PUT":
                return False
            identity = handler.path.partition("?")[0].rpartition("/")[2]
            storage.uploads[identity] = bytearray()
            handler.discard()
            handler.reply(307, b"", {"Location": f"http://{storage.address}{handler.path}"})
            return True

        registry.before = redirect
        uploader(registry).upload(content(), sent=lambda _: None)
        assert storage.blobs["a/b"] == {DIGEST: BLOB}


def test_a_redirect_that_would_lose_the_body_is_none(registry: WritableRegistry) -> None:
    def redirect(handler: Handler) -> bool:
        if handler.command == "PUT":
            handler.discard()
            handler.reply(302, b"", {"Location": "/elsewhere"})
        return handler.command == "PUT"

    registry.before = redirect
    with pytest.raises(Unavailable, match="302"):
        uploader(registry).upload(content(), sent=lambda _: None)


def test_not_let_in(registry: WritableRegistry) -> None:
    def refuse(handler: Handler) -> bool:
        handler.discard()
        handler.refuse(403, "DENIED")
        return True

    registry.before = refuse
    with pytest.raises(NotFound, match=r"access to .*/a/b denied: denied") as failed:
        uploader(registry).upload(content(), sent=lambda _: None)
    assert "login" in str(failed.value.hint)


def test_the_token_is_for_writing(registry: WritableRegistry) -> None:
    registry.token = lambda scopes: 200 if scopes == ["repository:a/b:pull,push"] else 403
    assert not uploader(registry).has_blob(DIGEST)
    upload(registry)


@pytest.mark.parametrize("status", [202, 401, 403, 404, 405, 500])
def test_a_refused_mount_costs_nothing(registry: WritableRegistry, status: int) -> None:
    """Harbor, GitLab, ECR: the push goes on with an upload."""
    registry.blobs["base"] = {DIGEST: BLOB}
    registry.mount = status
    client = uploader(registry)
    assert not client.mount(DIGEST, "base")
    client.upload(content(), sent=lambda _: None)
    assert registry.blobs["a/b"] == {DIGEST: BLOB}


def test_mount(registry: WritableRegistry) -> None:
    registry.token = lambda _: 200
    registry.blobs["base"] = {DIGEST: BLOB}
    assert uploader(registry).mount(DIGEST, "base")
    assert registry.blobs["a/b"] == {DIGEST: BLOB}
    assert ["repository:a/b:pull,push", "repository:base:pull"] in registry.scopes
    assert not uploader(registry).mount(digest_of(b"?"), "base")


def test_a_token_for_two_repositories_is_refused(registry: WritableRegistry) -> None:
    """GitLab's: mounting is given up, the push is not."""
    registry.token = lambda scopes: 200 if len(scopes) == 1 else 403
    registry.blobs["base"] = {DIGEST: BLOB}
    client = uploader(registry)
    assert not client.mount(DIGEST, "base")
    client.upload(content(), sent=lambda _: None)


def test_a_registry_that_stores_something_else(registry: WritableRegistry) -> None:
    def lie(handler: Handler) -> bool:
        if handler.command == "PUT":
            handler.discard()
            handler.reply(201, b"", {"Docker-Content-Digest": digest_of(b"other")})
        return handler.command == "PUT"

    registry.before = lie
    with pytest.raises(Corrupt, match="instead of " + DIGEST):
        uploader(registry).upload(content(), sent=lambda _: None)
    with pytest.raises(Corrupt, match="instead of"):
        uploader(registry).put_manifest("latest", b"{}", "x/y", digest_of(b"{}"))


def test_what_was_sent_was_not_the_blob(registry: WritableRegistry) -> None:
    with pytest.raises(Unavailable, match="digest invalid"):
        uploader(registry).upload(content(BLOB, digest_of(b"other")), sent=lambda _: None)


def test_an_answer_without_end(registry: WritableRegistry) -> None:
    def endless(handler: Handler) -> bool:
        handler.discard()
        handler.send_response(202 if handler.command == "POST" else 201)
        handler.send_header("Location", "/v2/a/b/blobs/uploads/1")
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        for _ in range(100_000):
            handler.wfile.write(b"10000\r\n" + bytes(0x10000) + b"\r\n")
        return True

    registry.before = endless
    uploader(registry).upload(content(), sent=lambda _: None)
    assert registry.methods() == ["POST", "PUT"]


@pytest.mark.parametrize(
    "location", ["ftp://x/", "http://[", "", "http://127.0.0.1:1/"], ids=repr
)
def test_hostile_locations(registry: WritableRegistry, location: str) -> None:
    registry.location = lambda _: location
    with pytest.raises((Unavailable, NotFound)):
        uploader(registry).upload(content(), sent=lambda _: None)


@pytest.mark.parametrize("said", ["0-0", "0-5", "-1", "0-99999999999999999999", "bytes=0-9", "7-3", "0-400000"])
def test_hostile_ranges(registry: WritableRegistry, said: str) -> None:
    """An offset that is not ours is not believed, and nothing goes round for ever."""
    registry.body_limit = 120_000

    def lie(handler: Handler) -> bool:
        if handler.command == "PATCH":
            handler.discard()
            handler.reply(202, b"", {"Range": said, "Location": handler.path})
        return handler.command == "PATCH"

    registry.before = lie
    with pytest.raises((Unavailable, NotFound, Corrupt)):
        uploader(registry).upload(content(), sent=lambda _: None)
    assert len(registry.seen) < 100


def test_plain_http_on_loopback_reads_no_certificates(
    registry: WritableRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are 20 ms of a push that has nothing to send; trusted they would be for nothing there."""
    fifo = tmp_path / "certificates.pem"
    os.mkfifo(fifo)
    monkeypatch.setenv("SSL_CERT_FILE", str(fifo))
    read = threading.Event()

    def notice() -> None:
        with fifo.open("wb"):
            read.set()

    thread = threading.Thread(target=notice, daemon=True)
    thread.start()  # it waits until somebody opens the other end
    assert not uploader(registry).has_blob(DIGEST)
    assert not read.is_set()
    os.close(os.open(fifo, os.O_RDONLY | os.O_NONBLOCK))
    thread.join()
