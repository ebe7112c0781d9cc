"""A container's files as tar streams: one path in or out, or all of them."""

from __future__ import annotations

import base64
import json
from typing import Any

from rootless.api.routes.found import container
from rootless.api.routes.route import ACTS, STREAMS, Call, Reply, Route
from rootless.api.routes.tar_bodies import TAR, body, output
from rootless.engine.files import archive
from rootless.engine.files.export import exporting
from rootless.errors import InvalidInput

STAT_HEADER = "X-Docker-Container-Path-Stat"


def _path(call: Call) -> str:
    path = call.query.word("path")
    if not path:
        raise InvalidInput('missing parameter "path"')
    return path


def _stat_header(found: dict[str, Any]) -> tuple[str, str]:
    return STAT_HEADER, base64.b64encode(json.dumps(found).encode()).decode()


def look(call: Call) -> Reply:
    """HEAD /containers/{id}/archive."""
    return Reply(b"", 200, [_stat_header(archive.stat(call.store, container(call), _path(call)))])


def read(call: Call) -> None:
    """GET /containers/{id}/archive."""
    with archive.reading(call.store, container(call), _path(call)) as found:
        call.exchange.begin(TAR, more=[_stat_header(found.stat)])
        out = output(call)
        found.write(out)
        out.flush()
    call.exchange.end()


def write(call: Call) -> Reply:
    """PUT /containers/{id}/archive."""
    query = call.query
    archive.put(
        call.store, container(call), _path(call), body(call),
        no_overwrite_dir_non_dir=query.flag("noOverwriteDirNonDir"), copy_uid_gid=query.flag("copyUIDGID"),
    )  # fmt: skip
    return Reply(b"")


def export(call: Call) -> None:
    """GET /containers/{id}/export."""
    with exporting(call.store, container(call)) as write:
        call.exchange.begin(TAR)
        out = output(call)
        write(out)
        out.flush()
    call.exchange.end()


ROUTES: tuple[Route, ...] = (
    Route("HEAD", "/containers/{id}/archive", look, ACTS),
    Route("GET", "/containers/{id}/archive", read, STREAMS),
    Route("PUT", "/containers/{id}/archive", write, ACTS),
    Route("GET", "/containers/{id}/export", export, STREAMS),
)
