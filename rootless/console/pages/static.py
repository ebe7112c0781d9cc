"""Styles and scripts: the files that are listed here, and no path."""

from __future__ import annotations

import os

from rootless.console.pages.context import Context
from rootless.console.request import Answer, Problem

DIRECTORY = f"{os.path.dirname(os.path.dirname(os.path.abspath(__file__)))}/static"
_KINDS = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml", "txt": "text/plain"}
FILES = frozenset(name for name in os.listdir(DIRECTORY) if name.rpartition(".")[2] in _KINDS)


async def file(context: Context, name: str) -> Answer:
    """One of them; kept by the browser for an hour, by this version of ours."""
    if name not in FILES:
        raise Problem(404, "there is no such page")
    with open(f"{DIRECTORY}/{name}", "rb") as content:
        body = content.read()
    kind = f"{_KINDS[name.rpartition('.')[2]]}; charset=utf-8"
    return Answer(body, kind, headers={"Cache-Control": "private, max-age=3600"})
