"""All routes, and which of them a path means."""

from __future__ import annotations

import re
from functools import cache

from rootless.api.request.query import decoded
from rootless.api.routes import (
    absent,
    archive,
    attach,
    build,
    commit,
    containers,
    distribution,
    exec_instances,
    files,
    grpc,
    images,
    lifecycle,
    networks,
    projects,
    streams,
    system,
    volumes,
)
from rootless.api.routes.route import Route
from rootless.api.words import ApiWord

NOUNS: tuple[tuple[Route, ...], ...] = (
    system.ROUTES, containers.ROUTES, lifecycle.ROUTES, streams.ROUTES, attach.ROUTES, exec_instances.ROUTES, archive.ROUTES, files.ROUTES,
    projects.ROUTES, images.ROUTES, commit.ROUTES, volumes.ROUTES, networks.ROUTES, build.ROUTES, grpc.ROUTES, distribution.ROUTES,
    absent.ROUTES,
)  # fmt: skip
"""In this order: what several patterns match is the first one's."""


@cache
def compiled() -> tuple[tuple[str, re.Pattern[str], Route], ...]:
    """Method, pattern and route of all."""
    return tuple((route.method, _pattern(route.pattern), route) for routes in NOUNS for route in routes)


def _pattern(text: str) -> re.Pattern[str]:
    """`/images/{name*}/json` as an expression."""
    found = ""
    for number, part in enumerate(re.split(r"\{(\w+\*?)\}", text)):
        if not number % 2:
            found += re.escape(part)
        else:
            found += f"(?P<{part[:-1]}>.+)" if part.endswith("*") else f"(?P<{part}>[^/]+)"
    return re.compile(found)


def find(method: str, path: str) -> tuple[Route, dict[str, ApiWord]] | None:
    """The route, and the words of the path; None where there is none."""
    for wanted, pattern, route in compiled():
        if wanted in (method, "*") and (match := pattern.fullmatch(path)):
            return route, {name: decoded(word, f"the {name} in the path") for name, word in match.groupdict().items()}
    return None
