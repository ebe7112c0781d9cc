"""The registry client against a registry that misbehaves: in process, nothing unpacked."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from rootless.errors import Corrupt, NotFound, RootlessError, Unavailable
from rootless.image.registry import responses
from rootless.image.registry.auth_file import Credentials
from rootless.image.registry.client import Fetched, Registry
from rootless.image.registry.registries_conf import Endpoint
from tests.image.strange_registry import Handler, StrangeRegistry


@pytest.fixture
def strange(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[StrangeRegistry]:
    monkeypatch.setattr(responses, "FIRST_DELAY_S", 0.01)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "REGISTRY_AUTH_FILE", "DOCKER_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    with StrangeRegistry() as server:
        yield server


def client(server: StrangeRegistry) -> Registry:
    return Registry(Endpoint(server.address, "a/b", False))


def fetch(server: StrangeRegistry, tag: str = "latest") -> Fetched:
    return client(server).manifest(tag, what="a/b:" + tag)


def test_plain_http_on_loopback(strange: StrangeRegistry) -> None:
    digest = strange.add_manifest({"schemaVersion": 2})
    assert fetch(strange).digest == digest
    assert fetch(strange, digest).digest == digest


def test_unknown_manifest(strange: StrangeRegistry) -> None:
    with pytest.raises(NotFound, match=r"manifest for a/b:nope not found .*: manifest unknown: unknown here"):
        fetch(strange, "nope")


def test_a_manifest_that_is_not_what_was_asked_for(strange: StrangeRegistry) -> None:
    strange.manifests["sha256:" + "0" * 64] = ("text/plain", b"{}")
    with pytest.raises(Corrupt, match="does not match its digest"):
        fetch(strange, "sha256:" + "0" * 64)

    def lie(handler: Handler) -> bool:
        handler.reply(200, b"{}", {"Docker-Content-Digest": "sha256:" + "1" * 64})
        return True

    strange.before = lie
    with pytest.raises(Corrupt, match="does not match its digest"):
        fetch(strange)


def test_a_huge_manifest(strange: StrangeRegistry) -> None:
    strange.add_manifest(b" " * (5 << 20))
    with pytest.raises(Corrupt, match="larger than"):
        fetch(strange)


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_transient_errors_are_retried(strange: StrangeRegistry, status: int) -> None:
    strange.add_manifest({"schemaVersion": 2})
    left = [2]

    def fail(handler: Handler) -> bool:
        left[0] -= 1
        if left[0] >= 0:
            handler.reply(status, b"busy", {"Retry-After": "0"})
        return left[0] >= 0

    strange.before = fail
    fetch(strange)
    assert strange.count("/manifests/") == 3


def test_transient_errors_are_not_retried_for_ever(strange: StrangeRegistry) -> None:
    def fail(handler: Handler) -> bool:
        handler.reply(503)
        return True

    strange.before = fail
    with pytest.raises(Unavailable, match="503"):
        fetch(strange)
    assert strange.count("/manifests/") == responses.ATTEMPTS


def test_a_long_retry_after_is_not_waited_for(strange: StrangeRegistry) -> None:
    def fail(handler: Handler) -> bool:
        body = json.dumps({"errors": [{"code": "TOOMANYREQUESTS", "message": "slow\x1b[31m down"}]}).encode()
        handler.reply(429, body, {"Retry-After": "3600"})
        return True

    strange.before = fail
    with pytest.raises(Unavailable, match=r"limits our requests: toomanyrequests: slow\[31m down"):
        fetch(strange)
    assert strange.count("/manifests/") == 1


def test_hanging_up_is_retried(strange: StrangeRegistry) -> None:
    strange.add_manifest({"schemaVersion": 2})
    left = [1]

    def hang_up(handler: Handler) -> bool:
        left[0] -= 1
        if left[0] >= 0:
            handler.close_connection = True
        return left[0] >= 0

    strange.before = hang_up
    fetch(strange)


def test_bearer_token(strange: StrangeRegistry) -> None:
    strange.add_manifest({"schemaVersion": 2})

    def guard(handler: Handler) -> bool:
        if handler.path.startswith("/token"):
            handler.reply(200, b'{"token": "t0"}')
        elif handler.headers.get("Authorization") == "Bearer t0":
            return False
        else:
            realm = f'Bearer realm="http://{strange.address}/token",service="s",scope="repository:a/b:pull"'
            handler.reply(401, b"", {"WWW-Authenticate": realm})
        return True

    strange.before = guard
    registry = client(strange)
    registry.manifest("latest", what="x")
    registry.manifest("latest", what="x")
    assert strange.count("/token") == 1
    asked = next(path for _, path, _ in strange.requests if path.startswith("/token"))
    assert asked == "/token?service=s&scope=repository%3Aa%2Fb%3Apull"


def test_an_expired_token_is_renewed(strange: StrangeRegistry) -> None:
    blob = strange.add_blob(b"x")
    issued = [0]

    def guard(handler: Handler) -> bool:
        if handler.path.startswith("/token"):
            issued[0] += 1
            handler.reply(200, json.dumps({"access_token": f"t{issued[0]}"}).encode())
            return True
        if issued[0] == 2 and handler.headers.get("Authorization") == "Bearer t2":
            return False
        if (
            issued[0] == 1
            and handler.headers.get("Authorization") == "Bearer t1"
            and "manifests" in handler.path
        ):
            return False
        handler.reply(401, b"", {"WWW-Authenticate": f'Bearer realm="http://{strange.address}/token"'})
        return True

    strange.add_manifest({"schemaVersion": 2})
    strange.before = guard
    registry = client(strange)
    registry.manifest("latest", what="x")
    assert b"".join(registry.blob(blob).chunks) == b"x"
    assert issued[0] == 2


def basic(handler: Handler) -> bool:
    # user:pass
    if handler.headers.get("Authorization") == "Basic dXNlcjpwYXNz":
        return False
    handler.reply(401, b"", {"WWW-Authenticate": 'Basic realm="x"'})
    return True


def test_basic_auth(strange: StrangeRegistry, tmp_path: Path) -> None:
    strange.add_manifest({"schemaVersion": 2})
    strange.before = basic
    with pytest.raises(NotFound, match="denied") as caught:
        fetch(strange)
    assert "rootless login" in (caught.value.hint or "")
    directory = tmp_path / ".docker"
    directory.mkdir()
    (directory / "config.json").write_text(json.dumps({"auths": {strange.address: {"auth": "dXNlcjpwYXNz"}}}))
    fetch(strange)
    registry = client(strange)
    registry.authorize(Credentials("user", "wrong"))
    with pytest.raises(NotFound, match="denied"):
        registry.ping()


def test_no_secret_follows_a_redirect_to_another_host(strange: StrangeRegistry) -> None:
    blob = strange.add_blob(b"payload")
    with StrangeRegistry() as elsewhere:
        elsewhere.blobs = strange.blobs

        def redirect(handler: Handler) -> bool:
            if not basic(handler):
                handler.reply(307, b"", {"Location": f"http://{elsewhere.address}{handler.path}"})
            return True

        strange.before = redirect
        registry = client(strange)
        registry.authorize(Credentials("user", "pass"))
        assert b"".join(registry.blob(blob).chunks) == b"payload"
        assert elsewhere.requests
        assert all("Authorization" not in headers for _, _, headers in elsewhere.requests)


@pytest.mark.parametrize("target", ["ftp://x/", "file:///etc/passwd", "http://[", "loop"])
def test_silly_redirects(strange: StrangeRegistry, target: str) -> None:
    def redirect(handler: Handler) -> bool:
        handler.reply(302, b"", {"Location": handler.path if target == "loop" else target})
        return True

    strange.before = redirect
    with pytest.raises(RootlessError, match="redirects"):
        fetch(strange)


def test_resuming(strange: StrangeRegistry) -> None:
    data = b"0123456789"
    blob = strange.add_blob(data)
    found = client(strange).blob(blob, offset=4)
    assert (found.offset, b"".join(found.chunks)) == (4, b"456789")

    def no_ranges(handler: Handler) -> bool:
        handler.reply(200, data)
        return True

    strange.before = no_ranges
    found = client(strange).blob(blob, offset=4)
    assert (found.offset, b"".join(found.chunks)) == (0, data)


def test_nobody_there() -> None:
    with pytest.raises(Unavailable, match=r"cannot connect to \S+: connection refused$"):
        Registry(Endpoint("127.0.0.1:1", "a", False)).manifest("latest", what="a")
