"""The builder's routes. The builder itself is imported where it is wanted: build_image.py."""

from __future__ import annotations

from rootless.api.routes.route import CHANGES, STREAMS, Call, Reply, Route


def build(call: Call) -> None:
    """POST /build."""
    from rootless.api.routes import build_image

    build_image.build(call)


def prune(call: Call) -> Reply:
    """POST /build/prune."""
    from rootless.api.routes import build_image

    return build_image.prune(call)


ROUTES: tuple[Route, ...] = (
    Route("POST", "/build", build, STREAMS),
    Route("POST", "/build/prune", prune, CHANGES),
)
