"""--progress=rawjson: BuildKit's SolveStatus, one JSON object a line; what docker compose and IDEs read."""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
from typing import IO, Any

from rootless.build.progress.vertices import Progress, Status, Vertex
from rootless.engine.options import clock


class RawJson(Progress):
    def __init__(self, out: IO[bytes]) -> None:
        self._out = out
        self._numbers = itertools.count(1)
        self._digests: dict[Vertex, str] = {}
        self._started: dict[Vertex, str] = {}
        self._begun: dict[tuple[Vertex, str], str] = {}

    def _digest(self, vertex: Vertex) -> str:
        if vertex not in self._digests:
            text = f"{next(self._numbers)} {vertex.name}".encode("utf-8", "replace")
            self._digests[vertex] = "sha256:" + hashlib.sha256(text).hexdigest()
        return self._digests[vertex]

    def start(self, vertex: Vertex) -> None:
        super().start(vertex)
        self._vertex(vertex)

    def status(self, vertex: Vertex, status: Status) -> None:
        now = clock.now()
        begun = self._begun.setdefault((vertex, status.name), now)
        entry: dict[str, Any] = {
            "id": status.name,
            "vertex": self._digest(vertex),
            "current": status.current or 0,
            "timestamp": now,
            "started": begun,
        }
        if status.total:
            entry["total"] = status.total
        if status.done:
            entry["completed"] = now
        self._write({"statuses": [entry]})

    def log(self, vertex: Vertex, data: bytes, *, error: bool = False) -> None:
        super().log(vertex, data, error=error)
        entry = {
            "vertex": self._digest(vertex),
            "stream": 2 if error else 1,
            "data": base64.b64encode(data).decode(),
            "timestamp": clock.now(),
        }
        self._write({"logs": [entry]})

    def done(self, vertex: Vertex) -> None:
        super().done(vertex)
        self._vertex(vertex)

    def cached(self, vertex: Vertex) -> None:
        super().cached(vertex)
        self._vertex(vertex)

    def failed(self, vertex: Vertex, message: str) -> None:
        super().failed(vertex, message)
        self._vertex(vertex)

    def warning(self, text: str) -> None:
        short = base64.b64encode(text.encode("utf-8", "replace")).decode()
        self._write({"warnings": [{"level": 1, "short": short}]})

    def _vertex(self, vertex: Vertex) -> None:
        now = clock.now()
        entry: dict[str, Any] = {
            "digest": self._digest(vertex),
            "name": vertex.name,
            "started": self._started.setdefault(vertex, now),
        }
        if vertex.completed:
            entry["completed"] = now
        if vertex.cached:
            entry["cached"] = True
        if vertex.error:
            entry["error"] = vertex.error
        self._write({"vertexes": [entry]})

    def _write(self, value: dict[str, Any]) -> None:
        self._out.write(json.dumps(value).encode() + b"\n")
        self._out.flush()
