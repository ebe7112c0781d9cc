"""A manifest of a registry, by the name that a user gives it."""

from __future__ import annotations

from typing import Any, NamedTuple

from rootless.errors import NotFound, RootlessError, Unavailable
from rootless.image import config as image_config
from rootless.image import reference
from rootless.image.manifest import Descriptor
from rootless.image.registry import registries_conf
from rootless.image.registry.auth_file import Credentials
from rootless.image.registry.client import Fetched, Registry
from rootless.image.registry.registries_conf import Endpoint


class Remote(NamedTuple):
    """A manifest or index, where it is, and the canonical name that it was asked for by."""

    name: str
    registry: Registry
    fetched: Fetched

    @property
    def source(self) -> str:
        """`registry/repository`, as lists keep it."""
        return f"{self.registry.registry}/{self.registry.repository}"


def fetch(text: str, *, tls_verify: bool = True, credentials: Credentials | None = None) -> Remote:
    """The manifest that `text` names, from the first place that has it. NotFound, Unavailable."""
    conf = registries_conf.read()
    failures: list[RootlessError] = []
    for wanted in conf.candidates(text):
        for endpoint in conf.endpoints(wanted):
            registry = Registry(endpoint, tls_verify=tls_verify)
            if credentials is not None:
                registry.authorize(credentials)
            try:
                fetched = registry.manifest(wanted.digest or wanted.tag or "latest", what=wanted.familiar())
                return Remote(wanted.canonical, registry, fetched)
            except (NotFound, Unavailable) as error:
                failures.append(error)
    raise failures[0]


def at(source: str, *, tls_verify: bool = True) -> Registry:
    """The repository that a list remembers as an entry's `source`."""
    wanted = reference.parse(source)
    for endpoint in registries_conf.read().endpoints(wanted)[-1:]:
        return Registry(endpoint, tls_verify=tls_verify)
    return Registry(Endpoint(wanted.registry, wanted.repository, False), tls_verify=tls_verify)


def platform_of(registry: Registry, config: Descriptor, what: str) -> dict[str, Any]:
    """The platform that an image's configuration names, as an index has it."""
    found = image_config.parse(registry.small_blob(config, what=f"the configuration of {what}"), what=what)
    return {key: found[key] for key in ("architecture", "os", "variant", "os.version") if found.get(key)}
