"""What Docker has and rootless has not: each refused with moby's own status and words, or with a sentence that says so."""

from __future__ import annotations

from rootless.api.routes.route import Call, Reply, Route
from rootless.errors import NotFound, NotSupported, Unavailable


def _no_swarm(_: Call) -> Reply:
    raise Unavailable(
        'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and '
        "try again.",
        hint="rootless runs containers on one machine: there is no swarm",
    )


def _no_plugins(_: Call) -> Reply:
    return Reply([])


def _no_plugin(_: Call) -> Reply:
    raise NotSupported("rootless has no plugins: volumes, networks and logs are its own")


def _plugin(call: Call) -> Reply:
    raise NotFound(f"plugin {call.words['name']!r} not found")


def _no_checkpoints(_: Call) -> Reply:
    raise NotSupported("rootless makes no checkpoints of containers", hint="CRIU needs capabilities of the host")


def _no_buildkit(_: Call) -> Reply:
    raise NotSupported(
        "rootless builds without BuildKit's own protocol",
        hint="set DOCKER_BUILDKIT=0, or build with `rootless build`, which reads the same Dockerfiles",
    )


_SWARM = tuple(
    Route("*", pattern, _no_swarm)
    for noun in ("swarm", "nodes", "services", "tasks", "secrets", "configs")
    for pattern in (f"/{noun}", f"/{noun}/{{rest*}}")
)

ROUTES: tuple[Route, ...] = (
    *_SWARM,
    Route("GET", "/plugins", _no_plugins),
    Route("GET", "/plugins/{name*}/json", _plugin),
    Route("*", "/plugins/{rest*}", _no_plugin),
    Route("*", "/containers/{id}/checkpoints", _no_checkpoints),
    Route("*", "/containers/{id}/checkpoints/{rest*}", _no_checkpoints),
    Route("POST", "/session", _no_buildkit),
)
