"""Uploads to a registry with the quirks of real ones: in process, nothing unpacked."""

from __future__ import annotations

import json

import pytest

from rootless.errors import Unavailable
from rootless.image.registry import responses
from tests.harness.writable_registry import Handler, WritableRegistry, digest_of
from tests.image.uploading import BLOB, DIGEST, content, quick_registry, upload, uploader

__all__ = ["quick_registry"]


def test_a_blob_goes_up_whole(registry: WritableRegistry) -> None:
    sent = upload(registry)
    assert registry.methods() == ["POST", "PUT"]
    assert sent == sorted(sent)
    assert sent[-1] == len(BLOB)
    put = registry.seen[-1]
    assert put.headers["Content-Type"] == "application/octet-stream"
    assert int(put.headers["Content-Length"]) == len(BLOB)


def test_the_empty_blob(registry: WritableRegistry) -> None:
    uploader(registry).upload(content(b""), sent=lambda _: None)
    assert registry.blobs["a/b"] == {digest_of(b""): b""}


@pytest.mark.parametrize("suffix", ["?_state=a%2Fb%3D&x=1", "?", "#part"])
def test_the_location_is_taken_literally(registry: WritableRegistry, suffix: str) -> None:
    registry.location = lambda path: path + suffix
    upload(registry)
    path = registry.seen[-1].path
    if suffix.startswith("?_state"):
        assert "?_state=a%2Fb%3D&x=1&digest=sha256%3A" in path


def test_an_absolute_location(registry: WritableRegistry) -> None:
    registry.location = lambda path: f"http://{registry.address}{path}"
    upload(registry)


@pytest.mark.parametrize("status", [201, 202, 204])
def test_too_large_for_a_proxy(registry: WritableRegistry, status: int) -> None:
    """413 of what stands before the registry; ECR answers a chunk with 201, Pulp with 204."""
    registry.body_limit, registry.patch = 120_000, status
    upload(registry)
    assert registry.methods() == ["POST", "PUT", "POST", "PATCH", "PATCH", "PATCH", "PUT"]
    ranges = [seen.headers["Content-Range"] for seen in registry.seen if seen.method == "PATCH"]
    assert ranges == ["0-99999", "100000-199999", "200000-299999"]


def test_even_chunks_too_large(registry: WritableRegistry) -> None:
    registry.body_limit = 60_000
    upload(registry)
    registry.body_limit = 10_000
    registry.blobs.clear()
    with pytest.raises(Unavailable, match="too large") as failed:
        uploader(registry).upload(content(), sent=lambda _: None)
    assert "client_max_body_size" in str(failed.value.hint)


def test_the_least_chunk_is_kept_to(registry: WritableRegistry) -> None:
    registry.body_limit, registry.least_chunk = 200_000, 150_000
    upload(registry)
    assert [seen.size for seen in registry.seen if seen.method == "PATCH"] == [150_000, 150_000]


@pytest.mark.parametrize("refusal", [400, 404, 405, 416])
def test_no_chunks_at_all(registry: WritableRegistry, refusal: int) -> None:
    """What broke off goes on in a chunk, where the registry takes any (Google's takes none), else anew."""
    registry.patch = refusal
    broken = [1]

    def break_off(handler: Handler) -> bool:
        if handler.command != "PUT" or not broken:
            return False
        broken.pop()
        identity = handler.path.partition("?")[0].rpartition("/")[2]
        handler.hang_up(120_000, kept=registry.uploads[identity])
        return True

    registry.before = break_off
    upload(registry)
    assert registry.methods() == ["POST", "PUT", "GET", "PATCH", "POST", "PUT"]


def test_a_broken_upload_goes_on_where_it_was(registry: WritableRegistry) -> None:
    broken = [1]

    def break_off(handler: Handler) -> bool:
        if handler.command != "PUT" or not broken:
            return False
        broken.pop()
        identity = handler.path.partition("?")[0].rpartition("/")[2]
        handler.hang_up(120_000, kept=registry.uploads[identity])
        return True

    registry.before = break_off
    upload(registry)
    assert [seen.headers["Content-Range"] for seen in registry.seen if seen.method == "PATCH"] == [
        "120000-219999",
        "220000-299999",
    ]


def test_an_upload_that_another_server_does_not_know(registry: WritableRegistry) -> None:
    """Several servers behind one name: the upload begun at one is unknown to the next."""
    lost = [1, 1]

    def forget(handler: Handler) -> bool:
        if handler.command == "PUT" and lost:
            lost.pop()
            handler.discard()
            handler.refuse(404, "BLOB_UPLOAD_UNKNOWN")
            return True
        return False

    registry.before = forget
    upload(registry)


def test_the_answer_was_lost_but_not_the_blob(registry: WritableRegistry) -> None:
    def hang_up(handler: Handler) -> bool:
        if handler.command == "PUT":
            registry.blobs["a/b"] = {DIGEST: BLOB}
            handler.hang_up(handler.length)
        return handler.command == "PUT"

    registry.before = hang_up
    upload(registry)
    assert registry.methods() == ["POST", "PUT"]


@pytest.mark.parametrize("status", [429, 500, 502, 503])
@pytest.mark.parametrize("method", ["POST", "PUT", "HEAD"])
def test_transient_errors_are_retried(registry: WritableRegistry, status: int, method: str) -> None:
    left = [2]

    def fail(handler: Handler) -> bool:
        if handler.command != method or left[0] == 0:
            return False
        left[0] -= 1
        handler.discard()
        handler.reply(status, b"busy")
        return True

    registry.before = fail
    assert not uploader(registry).has_blob(DIGEST)
    upload(registry)
    assert uploader(registry).has_blob(DIGEST)
    assert left == [0]


def test_a_repository_that_does_not_exist_at_ecr(registry: WritableRegistry) -> None:
    def hang_up(handler: Handler) -> bool:
        if handler.command in ("POST", "PUT"):
            handler.hang_up()
        return handler.command in ("POST", "PUT")

    registry.before = hang_up
    with pytest.raises(Unavailable, match="lost the connection") as failed:
        uploader(registry).upload(content(), sent=lambda _: None)
    assert "the repository a/b does not exist" in str(failed.value.hint)
    assert len(registry.methods()) == responses.ATTEMPTS


def test_a_manifest_is_put_with_its_type(registry: WritableRegistry) -> None:
    data = json.dumps({"mediaType": "application/x"}).encode()
    uploader(registry).put_manifest("1.0", data, "application/x", digest_of(data))
    assert registry.manifests["a/b"]["1.0"] == ("application/x", data)


def test_a_manifest_that_is_refused(registry: WritableRegistry) -> None:
    with pytest.raises(Unavailable, match=r"400 .*manifest invalid"):
        uploader(registry).put_manifest("1.0", b'{"mediaType": "a"}', "application/x", digest_of(b""))
