"""What a registry says it has: the tags of a repository, and repositories by a word.

Nothing of it is believed but as text: names and tags that are none are left out, pages and sizes are bounded.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

from rootless.errors import Corrupt, NotFound, NotSupported, RootlessError, Unavailable
from rootless.image import reference
from rootless.image.reference import DEFAULT_REGISTRY, Reference
from rootless.image.registry import registries_conf, responses
from rootless.image.registry.client import Registry
from rootless.image.registry.registries_conf import Endpoint

_MOST_PAGES = 50
_MOST_NAMES = 10_000
_HUB_SEARCH = "index.docker.io"  # which has Docker Hub's search; the registry itself has none


class Hit(NamedTuple):
    """One repository found; the name is the one to pull by."""

    name: str
    description: str
    stars: int
    official: bool


def tags(image: Reference, *, tls_verify: bool = True) -> list[str]:
    """All tags of the repository, as the registry orders them; NotFound, Unavailable, Corrupt."""
    failures: list[RootlessError] = []
    for endpoint in registries_conf.read().endpoints(image):
        path = f"/v2/{endpoint.repository}/tags/list"
        try:
            registry = Registry(endpoint, tls_verify=tls_verify)
            found = _listed(registry, path, "tags", what=f"tags of {image.familiar_name()}")
            return [tag for tag in found if reference.is_tag(tag)]
        except (NotFound, Unavailable) as error:
            failures.append(error)
    raise failures[0]


def search(term: str, *, limit: int, tls_verify: bool = True) -> list[Hit]:
    """Repositories whose name has `term` in it: `[REGISTRY/]TERM`; the registry's own search where it has
    one, else its list of repositories. NotSupported where it has neither."""
    first, slash, rest = term.partition("/")
    registry, word = (
        (first, rest) if slash and reference.is_registry(first) and _is_host(first) else ("", term)
    )
    registry = registry or next(iter(registries_conf.read().search), DEFAULT_REGISTRY)
    asked = _HUB_SEARCH if registry == DEFAULT_REGISTRY else registry
    connection = Registry(Endpoint(asked, "", False), tls_verify=tls_verify)
    try:
        address = f"/v1/search?q={quote(word, safe='')}&n={limit}"
        data, _ = responses.with_retries(lambda: connection.document(address, what="search"))
        results = _object(data, "the answer to a search").get("results")
        hits = (
            [_hit(entry, registry) for entry in results if isinstance(entry, dict)]
            if isinstance(results, list)
            else []
        )
        return [hit for hit in hits if hit is not None][:limit]
    except (NotFound, Corrupt):
        if registry == DEFAULT_REGISTRY:
            raise
    try:
        names = _listed(connection, f"/v2/_catalog?n={_MOST_NAMES // 10}", "repositories", what="search")
    except NotFound:
        raise NotSupported(
            f"{registry} has neither a search nor a list of its repositories",
            hint="look at its own page, and pull by name",
        ) from None
    found = [name for name in names if word.lower() in name and reference.is_repository(name)]
    return [Hit(f"{registry}/{name}", "", 0, False) for name in found[:limit]]


def _is_host(word: str) -> bool:
    return "." in word or ":" in word or word == "localhost"


def _hit(entry: dict[str, Any], registry: str) -> Hit | None:
    name, stars = entry.get("name"), entry.get("star_count")
    if not isinstance(name, str) or not reference.is_repository(name.removeprefix(registry + "/")):
        return None
    if registry != DEFAULT_REGISTRY:
        name = f"{registry}/{name.removeprefix(registry + '/')}"
    description = entry.get("description")
    return Hit(
        name,
        " ".join(description.split())[:4096] if isinstance(description, str) else "",
        stars if type(stars) is int and 0 <= stars < 1 << 53 else 0,
        entry.get("is_official") is True,
    )


def _listed(registry: Registry, path: str, key: str, *, what: str) -> list[str]:
    """The strings of all pages of a list (distribution-spec, "Listing tags": pages follow by Link)."""
    found: list[str] = []
    for _ in range(_MOST_PAGES):
        data, link = responses.with_retries(lambda path=path: registry.document(path, what=what))  # type: ignore[misc]
        names = _object(data, f"the list of {what}").get(key) or []
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise Corrupt(f"the list of {what} is no list of names")
        found += names
        path = _next(link)
        if not path or len(found) >= _MOST_NAMES:
            break
    return list(dict.fromkeys(found))[:_MOST_NAMES]


def _next(link: str) -> str:
    """Path and query of `<...>; rel="next"`; "" for none. The host in it is not asked: only the one we chose."""
    target, _, relation = link.partition(">")
    if not target.startswith("<") or "next" not in relation:
        return ""
    try:
        parts = urlsplit(target[1:])
    except ValueError:
        return ""
    path = parts.path if parts.path.startswith("/") else f"/v2/{parts.path}"
    return f"{path}?{parts.query}" if path.startswith("/v2/") else ""


def _object(data: bytes, what: str) -> dict[str, Any]:
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        raise Corrupt(f"{what} is no JSON") from None
    if not isinstance(document, dict):
        raise Corrupt(f"{what} is no JSON object")
    return document
