"""The files of containers and volumes, for who looks rather than copies: routes of ours, which Docker's API has not.

Below /rootless: `containers/{id}/files` and `volumes/{name}/files` say what is at a path, `…/file` sends a plain file as it is,
`volumes/{name}/archive` takes and brings tar streams as Docker's route of that name does for containers.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from typing import IO, cast

from rootless.api.routes.found import container
from rootless.api.routes.route import CHANGES, FOLLOWS, STREAMS, Call, Reply, Route
from rootless.api.routes.tar_bodies import TAR, ChunkedOut, body, clients
from rootless.engine.files import copy, directory, view
from rootless.engine.files.copy_end import CopyEnd
from rootless.engine.files.volumes import files
from rootless.engine.state import running

BYTES = "application/octet-stream"
_BLOCK = 256 * 1024


class _Begun(ChunkedOut):
    """The answer's body, whose head is sent with the first of it."""

    def __init__(self, call: Call) -> None:
        super().__init__(call)
        self._begun = False

    def write(self, data: object) -> int:
        if not self._begun:
            self._begun = True
            self._exchange.begin(TAR)
        return super().write(data)


def _in_container(call: Call, act: Callable[[CopyEnd], Reply | None]) -> Reply | None:
    identifier = container(call)
    running.join_session(call.store, identifier)
    with view.reading(call.store, identifier) as place:
        place.called = call.words["id"]
        return act(place)


def _in_volume(call: Call, act: Callable[[CopyEnd], Reply | None]) -> Reply | None:
    with files.opened(call.store, call.words["name"]) as place:
        return act(place)


def _path(call: Call) -> str:
    return directory.clean(call.query.word("path") or "/")


def _listed(call: Call) -> Callable[[CopyEnd], Reply | None]:
    return lambda place: Reply(directory.look(place, _path(call)))


def _sent(call: Call) -> Callable[[CopyEnd], Reply | None]:
    def send(place: CopyEnd) -> None:
        fd = directory.open_file(place, _path(call))
        try:
            call.exchange.begin(BYTES)
            while data := os.read(fd, _BLOCK):
                call.exchange.write(data)
        finally:
            os.close(fd)
        call.exchange.end()

    return send


def list_container(call: Call) -> Reply | None:
    """GET /rootless/containers/{id}/files."""
    return _in_container(call, _listed(call))


def read_container(call: Call) -> Reply | None:
    """GET /rootless/containers/{id}/file."""
    return _in_container(call, _sent(call))


def list_volume(call: Call) -> Reply | None:
    """GET /rootless/volumes/{name}/files."""
    return _in_volume(call, _listed(call))


def read_volume(call: Call) -> Reply | None:
    """GET /rootless/volumes/{name}/file."""
    return _in_volume(call, _sent(call))


def archive_volume(call: Call) -> Reply | None:
    """GET /rootless/volumes/{name}/archive."""

    def send(place: CopyEnd) -> None:
        path = _path(call)
        if place.is_directory(path):
            path = path.rstrip("/") + "/"  # a link to a directory is what it leads to
        # What is not there, and what is no file, is found out before the first byte is written.
        out = cast(IO[bytes], io.BufferedWriter(_Begun(call), _BLOCK))
        copy.write_tar(place, path, out, follow_link=False)
        out.flush()
        call.exchange.end()

    return _in_volume(call, send)


def write_volume(call: Call) -> Reply:
    """PUT /rootless/volumes/{name}/archive."""
    with clients():
        files.put(call.store, call.words["name"], _path(call), body(call))
    return Reply(b"")


ROUTES: tuple[Route, ...] = (
    Route("GET", "/rootless/containers/{id}/files", list_container, STREAMS),
    Route("GET", "/rootless/containers/{id}/file", read_container, STREAMS),
    Route("GET", "/rootless/volumes/{name}/files", list_volume, FOLLOWS),
    Route("GET", "/rootless/volumes/{name}/file", read_volume, FOLLOWS),
    Route("GET", "/rootless/volumes/{name}/archive", archive_volume, FOLLOWS),
    Route("PUT", "/rootless/volumes/{name}/archive", write_volume, CHANGES),
)
