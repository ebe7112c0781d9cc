"""Volumes."""

from __future__ import annotations

from rootless.api.answer.volumes import document
from rootless.api.routes.route import ACTS, CHANGES, EMPTY, READS, Call, Reply, Route
from rootless.engine.files.volumes import volumes
from rootless.errors import InvalidInput, NotFound


def list_all(call: Call) -> Reply:
    """GET /volumes."""
    chosen = volumes.select(call.store, call.query.filters(volumes.FILTERS))
    return Reply({"Volumes": [document(call.store, each.name) for each in chosen], "Warnings": []})


def create(call: Call) -> Reply:
    """POST /volumes/create: one that is there is answered as it is."""
    body = call.body
    if body.asks("ClusterVolumeSpec"):
        raise InvalidInput("ClusterVolumeSpec is for volumes of a swarm")
    name = volumes.create(
        call.store,
        body.text("Name") or None,
        driver=body.text("Driver") or "local",
        options=_pairs(body.pairs("DriverOpts")),
        labels=_pairs(body.pairs("Labels")),
    )
    return Reply(document(call.store, name), 201)


def _pairs(pairs: object) -> list[str]:
    assert isinstance(pairs, dict)
    for key in pairs:
        if not key or "=" in key:
            raise InvalidInput(f"invalid key {key!r}: it is empty, or has a = in it")
    return [f"{key}={value}" for key, value in pairs.items()]


def inspect(call: Call) -> Reply:
    """GET /volumes/{name}."""
    return Reply(document(call.store, call.words["name"]))


def delete(call: Call) -> Reply:
    """DELETE /volumes/{name}; by force one that is not there is no error."""
    try:
        volumes.remove(call.store, call.words["name"])
    except (NotFound, InvalidInput) as error:
        if not call.query.flag("force"):
            raise NotFound(f"get {call.words['name']}: no such volume", hint=error.hint) from None
    return EMPTY


def prune(call: Call) -> Reply:
    """POST /volumes/prune: anonymous ones (all before 1.42), or with the filter `all` all."""
    every = call.version < (1, 42)
    gone = volumes.prune(call.store, every=every, filters=call.query.filters(volumes.PRUNE_FILTERS))
    return Reply({"VolumesDeleted": gone.ids, "SpaceReclaimed": gone.reclaimed_bytes})


ROUTES: tuple[Route, ...] = (
    Route("GET", "/volumes", list_all, READS),
    Route("POST", "/volumes/create", create, ACTS),
    Route("POST", "/volumes/prune", prune, CHANGES),
    Route("GET", "/volumes/{name}", inspect, READS),
    Route("DELETE", "/volumes/{name}", delete, CHANGES),
)
