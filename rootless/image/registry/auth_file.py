"""Who we are to a registry: the files and helpers that podman and docker keep credentials in.

Looked up in $REGISTRY_AUTH_FILE, ${XDG_RUNTIME_DIR}/containers/auth.json,
~/.config/containers/auth.json and $DOCKER_CONFIG/config.json (~/.docker/config.json), as
containers-auth.json(5) says: the most specific key wins, then `credHelpers`, then `credsStore`.
Secrets are never printed, and never put into a message or an event.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import subprocess
from typing import Any, NamedTuple

from rootless import inherited, paths
from rootless.errors import InvalidInput, NotFound, Unavailable

_DOCKER_HUB_KEYS = ("docker.io", "index.docker.io", "https://index.docker.io/v1/", "registry-1.docker.io")
_HELPER_TIMEOUT_S = 30


class Credentials(NamedTuple):
    """A user name and password, or (with an empty name) an identity token for OAuth2."""

    username: str
    password: str
    identity_token: str = ""

    def __repr__(self) -> str:
        return f"Credentials({self.username!r}, ...)"


def find(registry: str, repository: str) -> Credentials | None:
    """The credentials for `registry/repository`, or None for anonymous access.

    Raises InvalidInput naming a broken file, Unavailable naming a helper that fails.
    """
    for path in _files():
        document = _read(path)
        if document is None:
            continue
        found = _from_document(document, path, registry, repository)
        if found is not None:
            return found
    return None


def store(registry: str, credentials: Credentials) -> str:
    """Keep `credentials` for `registry` in the file that podman shares; returns its path (mode 0600)."""
    path = _own_file()
    document = _read(path) or {}
    auths = document.setdefault("auths", {})
    pair = f"{credentials.username}:{credentials.password}".encode()
    auths[registry] = {"auth": base64.b64encode(pair).decode()}
    _write(path, document)
    return path


def forget(registry: str) -> list[str]:
    """Remove what `store` or another tool kept for `registry`; the paths changed. NotFound if none."""
    changed = []
    for path in _files():
        document = _read(path)
        auths = document.get("auths") if document else None
        if document is None or not isinstance(auths, dict):
            continue
        keys = [key for key in auths if _normalised(key) in _keys(registry, "")]
        for key in keys:
            del auths[key]
        if keys:
            _write(path, document)
            changed.append(path)
    if not changed:
        raise NotFound(f"not logged in to {registry}")
    return changed


def _own_file() -> str:
    explicit = os.environ.get("REGISTRY_AUTH_FILE")
    if explicit:
        return explicit
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    if runtime and os.path.isdir(runtime):
        return os.path.join(runtime, "containers/auth.json")
    return os.path.join(_config_home(), "containers/auth.json")


def _config_home() -> str:
    return os.environ.get("XDG_CONFIG_HOME") or os.path.join(paths.home(), ".config")


def _files() -> list[str]:
    docker = os.environ.get("DOCKER_CONFIG") or os.path.join(paths.home(), ".docker")
    files = [
        _own_file(),
        os.path.join(_config_home(), "containers/auth.json"),
        os.path.join(docker, "config.json"),
    ]
    return list(dict.fromkeys(files))


def _read(path: str) -> dict[str, Any] | None:
    try:
        with open(path, "rb") as file:
            document = json.loads(file.read(1 << 20) or b"{}")
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return None
    except (ValueError, RecursionError):
        raise InvalidInput(f"{path} is no valid JSON", hint="mend or remove it, then log in again") from None
    if not isinstance(document, dict):
        raise InvalidInput(f"{path} holds no JSON object", hint="mend or remove it, then log in again")
    return document


def _write(path: str, document: dict[str, Any]) -> None:
    directory = os.path.dirname(path)
    os.makedirs(directory, mode=0o700, exist_ok=True)
    # A link (to a file shared between machines, say) stays one.
    path = os.path.realpath(path)
    aside = f"{path}.new-{os.getpid()}"
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(document, file, indent="\t")
        file.flush()
        os.fsync(file.fileno())
    os.rename(aside, path)


def _keys(registry: str, repository: str) -> list[str]:
    """Keys that may hold our credentials, the most specific first."""
    hosts = list(_DOCKER_HUB_KEYS[:2]) if registry in _DOCKER_HUB_KEYS else [registry]
    keys = []
    parts = repository.split("/") if repository else []
    for count in range(len(parts), -1, -1):
        keys += ["/".join([host, *parts[:count]]) for host in hosts]
    return keys


def _normalised(key: str) -> str:
    """Docker once kept whole URLs: `https://index.docker.io/v1/` stands for the host."""
    for scheme in ("https://", "http://"):
        if key.startswith(scheme):
            return key[len(scheme) :].partition("/")[0]
    return key.rstrip("/")


def _from_document(document: dict[str, Any], path: str, registry: str, repository: str) -> Credentials | None:
    wanted = _keys(registry, repository)
    helpers = document.get("credHelpers")
    for host in _keys(registry, ""):
        if isinstance(helpers, dict) and isinstance(helpers.get(host), str):
            return _ask_helper(helpers[host], registry)
    auths = document.get("auths")
    entries = {_normalised(key): entry for key, entry in auths.items()} if isinstance(auths, dict) else {}
    for key in wanted:
        entry = entries.get(key)
        if isinstance(entry, dict):
            found = _decode(entry, path, key)
            if found is not None:
                return found
    default = document.get("credsStore")
    return _ask_helper(default, registry) if isinstance(default, str) and default else None


def _decode(entry: dict[str, Any], path: str, key: str) -> Credentials | None:
    token = entry.get("identitytoken")
    encoded = entry.get("auth")
    username, password = str(entry.get("username") or ""), str(entry.get("password") or "")
    if encoded:
        try:
            pair = base64.b64decode(str(encoded), validate=True).decode()
        except (binascii.Error, ValueError):
            raise InvalidInput(f"{path}: the entry of {key} is not valid", hint="log in again") from None
        username, _, password = pair.partition(":")
        password = password.rstrip("\0")
    if isinstance(token, str) and token:
        return Credentials(username, password, token)
    return Credentials(username, password) if username else None


def _ask_helper(name: str, registry: str) -> Credentials | None:
    """docker-credential-NAME get, as github.com/docker/docker-credential-helpers specifies."""
    if "/" in name or not name:
        raise InvalidInput(f"credential helper {name!r} is no plain name")
    program = f"docker-credential-{name}"
    server = "https://index.docker.io/v1/" if registry in _DOCKER_HUB_KEYS else registry
    try:
        done = subprocess.run(
            [program, "get"],
            input=server.encode(),
            capture_output=True,
            timeout=_HELPER_TIMEOUT_S,
            check=False,
            umask=inherited.umask,
        )
    except FileNotFoundError:
        raise Unavailable(
            f"the credential helper {program} is not installed",
            hint=f"install it or remove it from the configuration of {registry}",
        ) from None
    except subprocess.TimeoutExpired:
        raise Unavailable(f"{program} did not answer within {_HELPER_TIMEOUT_S} s") from None
    if done.returncode != 0:
        said = (done.stdout or done.stderr).decode(errors="replace").strip().splitlines()
        reason = said[0][:200] if said else f"exit status {done.returncode}"
        if "not found" in reason:
            return None
        raise Unavailable(f"{program} failed: {reason}")
    try:
        answer = json.loads(done.stdout)
        username, secret = str(answer["Username"]), str(answer["Secret"])
    except (ValueError, KeyError, TypeError, RecursionError):
        raise Unavailable(f"{program} gave no proper answer") from None
    return Credentials("", "", secret) if username == "<token>" else Credentials(username, secret)
