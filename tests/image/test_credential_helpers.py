"""docker-credential-*: asked by pull and push, told by login and logout. A helper of our own, in sh."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from rootless.errors import InvalidInput, NotFound, Unavailable
from rootless.image.registry import auth_file, credential_helper
from rootless.image.registry.auth_file import Credentials
from rootless.image.registry.client import Registry
from rootless.image.registry.credential_helper import Kept
from rootless.image.registry.registries_conf import Endpoint
from tests.image.strange_registry import Handler, StrangeRegistry

# Keeps what it is told below $KEEP, a file a server; writes down each word it is asked with.
HELPER = r"""#!/bin/sh
echo "$1" >> "$KEEP/asked"
input=$(cat)
server=$(printf %s "$input" | sed 's/.*"ServerURL": *"\([^"]*\)".*/\1/')
file="$KEEP/$(printf %s "$server" | tr / _)"
case "$1" in
store) printf %s "$input" > "$file" ;;
get) [ -f "$file" ] || { echo "credentials not found in native keychain"; exit 1; }; cat "$file" ;;
erase) rm -f "$file" ;;
list) printf '{"listed.example": "me"}' ;;
esac
"""


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "REGISTRY_AUTH_FILE", "DOCKER_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / ".docker").mkdir()
    (tmp_path / "keep").mkdir()
    monkeypatch.setenv("KEEP", str(tmp_path / "keep"))
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return tmp_path


@pytest.fixture
def strange() -> Iterator[StrangeRegistry]:
    with StrangeRegistry() as server:
        server.add_manifest({"schemaVersion": 2})
        yield server


def install(home: Path, text: str = HELPER) -> None:
    (home / "docker-credential-mine").write_text(text)
    (home / "docker-credential-mine").chmod(0o755)


def configure(home: Path, **document: object) -> None:
    (home / ".docker/config.json").write_text(json.dumps(document))


def asked(home: Path) -> list[str]:
    path = home / "keep/asked"
    return path.read_text().split() if path.exists() else []


def basic(handler: Handler) -> bool:
    # user:pass
    if handler.headers.get("Authorization") == "Basic dXNlcjpwYXNz":
        return False
    handler.reply(401, b"", {"WWW-Authenticate": 'Basic realm="x"'})
    return True


def fetch(server: StrangeRegistry) -> None:
    Registry(Endpoint(server.address, "a/b", False)).manifest("latest", what="a/b")


@pytest.mark.parametrize("key", ["credHelpers", "credsStore"])
def test_a_helper_is_told_and_asked(home: Path, strange: StrangeRegistry, key: str) -> None:
    install(home)
    configure(home, **{key: "mine" if key == "credsStore" else {strange.address: "mine"}})
    strange.before = basic
    with pytest.raises(NotFound, match="denied"):
        fetch(strange)
    assert auth_file.store(strange.address, Credentials("user", "pass")) == "docker-credential-mine"
    assert not (home / ".config").exists()  # nothing of it in a file of ours
    fetch(strange)
    assert auth_file.forget(strange.address) == ["docker-credential-mine"]
    with pytest.raises(NotFound, match="not logged in"):
        auth_file.forget(strange.address)
    with pytest.raises(NotFound, match="denied"):
        fetch(strange)


def test_only_for_its_own_registry(home: Path, strange: StrangeRegistry) -> None:
    install(home)
    configure(home, credHelpers={"other.example": "mine", "*.example": "mine", "*": "mine"})
    strange.before = basic
    with pytest.raises(NotFound, match="denied"):
        fetch(strange)
    assert auth_file.find("sub.example", "a") is None
    assert asked(home) == []


def test_what_is_for_everybody_needs_no_helper(home: Path, strange: StrangeRegistry) -> None:
    """A missing helper names itself where it is needed, and breaks nothing else (docker/cli#2121)."""
    configure(home, credsStore="gone")
    fetch(strange)

    def guard(handler: Handler) -> bool:
        if handler.path.startswith("/token"):
            handler.reply(200, b'{"token": "anonymous"}')
        elif handler.headers.get("Authorization") != "Bearer anonymous":
            handler.reply(401, b"", {"WWW-Authenticate": f'Bearer realm="http://{strange.address}/token"'})
        else:
            return False
        return True

    strange.before = guard
    fetch(strange)

    def denied(handler: Handler) -> bool:
        if not guard(handler):
            handler.reply(403, b"")
        return True

    for behaviour in (denied, basic):
        strange.before = behaviour
        with pytest.raises(Unavailable, match="docker-credential-gone is not installed"):
            fetch(strange)
    with pytest.raises(Unavailable, match="docker-credential-gone is not installed"):
        auth_file.store(strange.address, Credentials("user", "pass"))


def test_identity_tokens_and_docker_hub(home: Path) -> None:
    install(home)
    configure(home, credsStore="mine")
    auth_file.store("docker.io", Credentials("", "", "a-token"))
    assert credential_helper.get("mine", "https://index.docker.io/v1/") == Kept("<token>", "a-token")
    assert auth_file.find("docker.io", "library/x") == Credentials("", "", "a-token")
    configure(home, credHelpers={"https://index.docker.io/v1/": "mine"})
    assert auth_file.find("docker.io", "library/x") == Credentials("", "", "a-token")


def test_what_is_known(home: Path) -> None:
    install(home)
    configure(home, credsStore="mine", auths={"a.example/deep": {}}, credHelpers={"b.example": "mine"})
    assert auth_file.known() == ["a.example", "b.example", "listed.example"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("#!/bin/sh\necho '{}'\n", "no proper answer"),
        ("#!/bin/sh\necho nonsense\n", "no proper answer"),
        ("#!/bin/sh\nprintf 'broken \\033[31m'; exit 3\n", r"failed: broken \[31m"),
        ("not a program\n", "cannot be run"),
    ],
)
def test_helpers_that_fail(home: Path, text: str, message: str) -> None:
    install(home, text)
    with pytest.raises(Unavailable, match=message):
        credential_helper.get("mine", "a.example")


def test_a_helper_is_no_path(home: Path) -> None:
    configure(home, credsStore="../../bin/sh")
    with pytest.raises(InvalidInput, match="no plain name"):
        auth_file.find("a.example", "x")


def test_no_secret_in_arguments(home: Path) -> None:
    """Whoever lists processes sees nothing."""
    install(home, '#!/bin/sh\ntr "\\0" " " < /proc/$$/cmdline > "$KEEP/line"; cat > /dev/null\n')
    credential_helper.store("mine", "a.example", Kept("user", "s3cret"))
    assert "s3cret" not in (home / "keep/line").read_text()
    assert "s3cret" not in repr(Kept("user", "s3cret"))


def test_the_helpers_own_environment(home: Path) -> None:
    install(home, "#!/bin/sh\numask > $KEEP/umask\n")
    credential_helper.store("mine", "a.example", Kept("user", "x"))
    assert (home / "keep/umask").read_text().strip() == subprocess.run(
        ["sh", "-c", "umask"], capture_output=True, text=True, check=True
    ).stdout.strip()
