"""Every page and every change there is. A route that is not `public` is for who has logged in; a change needs the page's token."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from rootless.console.pages import (
    build,
    containers,
    events,
    files,
    images,
    live,
    login,
    logs,
    networks,
    projects,
    run,
    several_logs,
    static,
    system,
    terminal,
    volumes,
)
from rootless.record import Record

_NAMES = {
    "NAME": r"([A-Za-z0-9][A-Za-z0-9_.-]{0,254})",
    "ACTION": r"([a-z]+)",
    "FILE": r"([a-z0-9.-]+)",
    "IMAGE": r"([0-9a-f]{12,64})",
}


class Route(Record):
    """`data`: what a script asks for; it gets an error, no page to log in by."""

    method: str
    pattern: re.Pattern[str]
    handler: Callable[..., Any]
    public: bool = False
    data: bool = False


def _route(method: str, path: str, handler: Callable[..., Any], *, public: bool = False, data: bool = False) -> Route:
    for name, pattern in _NAMES.items():
        path = path.replace(name, pattern)
    return Route(method, re.compile(path), handler, public, data)


def _files(address: str, holder: Callable[[str], files.Holder]) -> tuple[Route, ...]:
    """The routes of what has files."""
    return (
        _route("GET", f"{address}/files", files.of(holder, files.show)),
        _route("POST", f"{address}/files", files.of(holder, files.bring)),
        _route("GET", f"{address}/file", files.of(holder, files.take_file), data=True),
        _route("GET", rf"{address}/files\.tar", files.of(holder, files.take_archive), data=True),
    )


ROUTES = (
    _route("GET", "/", containers.first),
    _route("GET", "/login", login.show, public=True),
    _route("POST", "/login", login.log_in, public=True),
    _route("POST", "/login/password", login.by_password, public=True),
    _route("POST", "/logout", login.log_out),
    _route("POST", "/tickets", login.ticket),
    _route("GET", "/static/FILE", static.file, public=True, data=True),
    _route("GET", "/changes", live.changes, data=True),
    _route("GET", "/containers", containers.listing),
    _route("GET", "/containers/NAME", containers.one),
    *_files("/containers/NAME", files.container),
    _route("POST", "/containers/NAME/rename", containers.rename),
    _route("POST", "/containers/NAME/limits", containers.limit),
    _route("POST", "/containers/NAME/ACTION", containers.act),
    _route("GET", "/containers/NAME/stats", live.stats, data=True),
    _route("GET", "/containers/NAME/logs", logs.show),
    _route("GET", "/containers/NAME/logs.txt", logs.download, data=True),
    _route("GET", "/containers/NAME/logs/follow", logs.follow, data=True),
    _route("GET", "/containers/NAME/terminal", terminal.show),
    _route("WEBSOCKET", "/containers/NAME/terminal", terminal.serve),
    _route("GET", "/logs", several_logs.show),
    _route("GET", "/logs/follow", several_logs.follow, data=True),
    _route("GET", "/events", events.show),
    _route("GET", "/events/follow", events.follow, data=True),
    _route("GET", "/run", run.show),
    _route("POST", "/run", run.make),
    _route("GET", "/build", build.show),
    _route("POST", "/build", build.make),
    _route("POST", "/build/archive", build.bring),
    _route("GET", "/images", images.listing),
    _route("GET", "/images/IMAGE", images.one),
    _route("POST", "/images/pull", images.pull),
    _route("POST", "/images/IMAGE/remove", images.remove),
    _route("GET", "/volumes", volumes.listing),
    _route("POST", "/volumes/NAME/remove", volumes.remove),
    *_files("/volumes/NAME", files.volume),
    _route("GET", "/networks", networks.listing),
    _route("POST", "/networks/NAME/remove", networks.remove),
    _route("GET", "/projects", projects.listing),
    _route("POST", "/projects/do", projects.act),
    _route("POST", "/projects/open", projects.open_file),
    _route("GET", "/projects/edit", projects.edit),
    _route("POST", "/projects/edit", projects.save),
    _route("GET", "/system", system.show),
    _route("GET", "/disk", system.disk),
    _route("GET", "/doctor", system.doctor),
    _route("POST", "/prune/ACTION", system.prune),
)
