"""Projects loaded from texts: files by their names below /p, and a reader that knows no others."""

from __future__ import annotations

from typing import Any

from rootless.compose import disk
from rootless.compose.load.files import Source
from rootless.compose.load.load import Request, load
from rootless.compose.load.project import Project
from rootless.compose.load.selection import with_environments
from rootless.errors import NotFound

SCHEMA = disk.schema()


class Texts:
    """A reader of texts in memory."""

    def __init__(self, files: dict[str, str]) -> None:
        self.files = files

    def read(self, path: str) -> str:
        if path not in self.files:
            raise NotFound(f"open {path}: no such file or directory")
        return self.files[path]

    def exists(self, path: str) -> bool:
        return path in self.files


def project(*texts: str, files: dict[str, str] | None = None, environment: dict[str, str] | None = None, **changes: Any) -> Project:
    """The texts as compose files of the project directory /p, the first being compose.yaml."""
    names = ["/p/compose.yaml", *(f"/p/{number}.yaml" for number in range(1, len(texts)))]
    reader = Texts({**dict(zip(names, texts, strict=True)), **(files or {})})
    request = Request([Source(name) for name in names], "/p", environment or {}, "/home/me", SCHEMA, name="p")
    return with_environments(load(reader, request._replace(**changes)), reader)


def service(*texts: str, name: str = "web", **more: Any) -> dict[str, Any]:
    """One service of them."""
    return project(*texts, **more).services[name]


def web(body: str) -> str:
    """A file with one service, `web`, that has an image and these lines."""
    lines = "\n".join("    " + line for line in body.strip("\n").split("\n"))
    return f"services:\n  web:\n    image: busybox\n{lines}\n"
