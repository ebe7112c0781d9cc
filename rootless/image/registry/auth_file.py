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
from typing import Any, NamedTuple

from rootless import atomic, paths
from rootless.errors import InvalidInput, NotFound
from rootless.image.registry import credential_helper

_DOCKER_HUB_KEYS = ("docker.io", "index.docker.io", "https://index.docker.io/v1/", "registry-1.docker.io")


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
    """Keep `credentials` for `registry`: with the helper that the user's files name for it, else in the file that
    podman shares (mode 0600). Returns where: a path, or the helper's program."""
    for path in _files():
        helper = _helper(_read(path) or {}, registry)
        if helper:
            user = credential_helper.TOKEN_USER if credentials.identity_token else credentials.username
            secret = credentials.identity_token or credentials.password
            credential_helper.store(helper, _server(registry), credential_helper.Kept(user, secret))
            return f"docker-credential-{helper}"
    path = _own_file()
    document = _read(path) or {}
    auths = document.setdefault("auths", {})
    pair = f"{credentials.username}:{credentials.password}".encode()
    auths[registry] = {"auth": base64.b64encode(pair).decode()}
    _write(path, document)
    return path


def forget(registry: str) -> list[str]:
    """Remove what `store` or another tool kept for `registry`; where that was. NotFound if nothing was kept."""
    changed: list[str] = []
    for path in _files():
        document = _read(path)
        if document is None:
            continue
        helper = _helper(document, registry)
        if helper and credential_helper.erase(helper, _server(registry)):
            changed.append(f"docker-credential-{helper}")
        auths = document.get("auths")
        keys = [key for key in auths if _normalised(key) in _keys(registry, "")] if isinstance(auths, dict) else []
        for key in keys:
            del document["auths"][key]
        if keys:
            _write(path, document)
            changed.append(path)
    if not changed:
        raise NotFound(f"not logged in to {registry}")
    return list(dict.fromkeys(changed))


def known() -> list[str]:
    """The registries that the files or their helpers keep credentials for, sorted."""
    found: set[str] = set()
    for path in _files():
        document = _read(path) or {}
        auths, helpers = document.get("auths"), document.get("credHelpers")
        if isinstance(auths, dict):
            found.update(_normalised(key).partition("/")[0] for key in auths)
        if isinstance(helpers, dict):
            found.update(_normalised(key) for key in helpers)
        store_of_all = _helper({"credsStore": document.get("credsStore")}, "")
        if store_of_all:
            found.update(_normalised(server) for server in credential_helper.servers(store_of_all))
    return sorted(registry for registry in found if registry)


def auths() -> dict[str, dict[str, str]]:
    """All that is known, by server, as Docker's config.json has it: what helpers keep, too. Raises as `find`."""
    found = {}
    for registry in known():
        credentials = find(registry, "")
        if credentials is None:
            continue
        if credentials.identity_token:
            found[_server(registry)] = {"identitytoken": credentials.identity_token}
        else:
            pair = f"{credentials.username}:{credentials.password}".encode()
            found[_server(registry)] = {"auth": base64.b64encode(pair).decode()}
    return found


def _own_file() -> str:
    explicit = os.environ.get("REGISTRY_AUTH_FILE")
    if explicit:
        return explicit
    runtime = paths.session_directory()
    if runtime and os.path.isdir(runtime):
        return os.path.join(runtime, "containers/auth.json")
    return os.path.join(paths.config_home(), "containers/auth.json")


def _files() -> list[str]:
    docker = os.environ.get("DOCKER_CONFIG") or os.path.join(paths.home(), ".docker")
    files = [
        _own_file(),
        os.path.join(paths.config_home(), "containers/auth.json"),
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
    atomic.write_bytes(path, json.dumps(document, indent="\t").encode())


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
    own = document.get("credHelpers")
    named = _helper({"credHelpers": own}, registry)
    if named:
        return _ask_helper(named, registry)
    auths = document.get("auths")
    entries = {_normalised(key): entry for key, entry in auths.items()} if isinstance(auths, dict) else {}
    for key in _keys(registry, repository):
        entry = entries.get(key)
        if isinstance(entry, dict):
            found = _decode(entry, path, key)
            if found is not None:
                return found
    default = _helper(document, registry)
    return _ask_helper(default, registry) if default else None


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


def _helper(document: dict[str, Any], registry: str) -> str:
    """The helper that the file names for `registry`: its own, or that of all registries; "" for none."""
    helpers = document.get("credHelpers")
    if isinstance(helpers, dict):
        named = {_normalised(key): value for key, value in helpers.items() if isinstance(value, str)}
        for host in _keys(registry, ""):
            if named.get(host):
                return named[host]
    default = document.get("credsStore")
    return default if isinstance(default, str) else ""


def _ask_helper(name: str, registry: str) -> Credentials | None:
    kept = credential_helper.get(name, _server(registry))
    if kept is None:
        return None
    if kept.username == credential_helper.TOKEN_USER:
        return Credentials("", "", kept.secret)
    return Credentials(kept.username, kept.secret)


def _server(registry: str) -> str:
    """What helpers call the registry: Docker Hub by its old address, others by host and port."""
    return "https://index.docker.io/v1/" if registry in _DOCKER_HUB_KEYS else registry
