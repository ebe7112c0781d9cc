"""`login` and `logout`: credentials tried at the registry before they are kept."""

from __future__ import annotations

from rootless.errors import InvalidInput, NotFound
from rootless.image import reference
from rootless.image.registry import auth_file
from rootless.image.registry.auth_file import Credentials
from rootless.image.registry.client import Registry
from rootless.image.registry.credential_helper import TOKEN_USER
from rootless.image.registry.registries_conf import Endpoint

DEFAULT = reference.DEFAULT_REGISTRY


def login(server: str, username: str, password: str, *, tls_verify: bool = True) -> str:
    """Keep the credentials if the registry accepts them; the path or the helper that keeps them."""
    chosen = Credentials(username, password)
    check(server, chosen, tls_verify=tls_verify)
    return auth_file.store(registry_name(server), chosen)


def check(server: str, credentials: Credentials, *, tls_verify: bool = True) -> None:
    """Ask the registry whether it accepts them, and keep nothing. Its errors are of the connection's."""
    connection = Registry(Endpoint(registry_name(server), "", False), tls_verify=tls_verify)
    connection.authorize(credentials)
    connection.ping()


def logout(server: str) -> list[str]:
    """Forget the registry's credentials; the files changed and helpers asked. NotFound if there were none."""
    return auth_file.forget(registry_name(server))


def user_of(server: str) -> str:
    """The name that we are logged in with. NotFound where we are not."""
    registry = registry_name(server)
    found = auth_file.find(registry, "")
    if found is None:
        raise NotFound(f"not logged into {registry}")
    return found.username or TOKEN_USER


def logout_everywhere() -> list[str]:
    """Forget all credentials; the registries, sorted."""
    known = auth_file.known()
    for registry in known:
        try:
            auth_file.forget(registry)
        except NotFound:
            continue  # a helper is named for it that keeps nothing
    return known


def registry_name(server: str) -> str:
    """`https://index.docker.io/v1/` and `docker.io` are one registry; paths and schemes are dropped."""
    name = server.partition("://")[2] if "://" in server else server
    name = name.partition("/")[0]
    if name in ("index.docker.io", "registry-1.docker.io"):
        name = DEFAULT
    if not name or not reference.is_registry(name):
        raise InvalidInput(f"{server!r} is no name of a registry", hint="write HOST or HOST:PORT")
    return name
