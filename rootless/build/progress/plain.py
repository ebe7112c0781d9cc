"""--progress=plain: one line after another, each with its vertex's number, as BuildKit prints them.

    #5 [2/3] RUN make
    #5 0.412 cc -c x.c
    #5 DONE 1.2s

What a vertex says while another has the word is held back until that one is done, or silent for a while; then
`#5 ...` says that it is not at its end.
"""

from __future__ import annotations

import time
from typing import IO

from rootless import sizes
from rootless.build.progress.log_text import for_terminal
from rootless.build.progress.vertices import Progress, Status, Vertex
from rootless.words import plain

_SILENCE_S = 3.0
_LONGEST_LINE = 1 << 16


class Plain(Progress):
    def __init__(self, out: IO[bytes]) -> None:
        self._out = out
        self._terminal = out.isatty()
        self._count = 0
        self._current: Vertex | None = None
        self._spoken = 0.0  # when the current one said something
        self._held: dict[Vertex, list[bytes]] = {}
        self._partial: dict[Vertex, bytearray] = {}
        self._began = False

    def start(self, vertex: Vertex) -> None:
        super().start(vertex)
        self._say(vertex)

    def status(self, vertex: Vertex, status: Status) -> None:
        amount = ""
        if status.total:
            amount = f": {_bytes(status.current or 0)} / {_bytes(status.total)}"
        elif status.current is not None:
            amount = f": {_bytes(status.current)}"
        if status.done:
            amount += f" {vertex.seconds():.1f}s done" if amount else " done"
        self._say(vertex, (plain(status.name) + amount).encode())

    def log(self, vertex: Vertex, data: bytes, *, error: bool = False) -> None:
        super().log(vertex, data, error=error)
        partial = self._partial.setdefault(vertex, bytearray())
        first, *more = data.split(b"\n")
        partial += first
        lines = []
        for begun in more:
            lines.append(bytes(partial))
            partial[:] = begun
        if len(partial) > _LONGEST_LINE:
            # A command may never end its line: that is kept nowhere, and what is kept is not gone through again.
            lines.append(bytes(partial))
            partial.clear()
        stamp = f"{vertex.seconds():.3f} ".encode()
        if lines:
            self._say(vertex, *(stamp + self._shown(line) for line in lines))

    def _shown(self, line: bytes) -> bytes:
        return for_terminal(line) if self._terminal else line.removesuffix(b"\r")

    def done(self, vertex: Vertex) -> None:
        super().done(vertex)
        self._end(vertex, f"DONE {vertex.seconds():.1f}s")

    def cached(self, vertex: Vertex) -> None:
        super().cached(vertex)
        self._end(vertex, "CACHED")

    def failed(self, vertex: Vertex, message: str) -> None:
        super().failed(vertex, message)
        self._end(vertex, f"ERROR: {plain(message)}")

    def warning(self, text: str) -> None:
        current = self._current
        if current is not None and not current.completed:
            self._out.write(f"#{current.number} ...\n".encode())
        self._out.write((b"\n" if self._began else b"") + "".join(f"{plain(line)}\n" for line in text.split("\n")).encode())
        self._current, self._began = None, True
        self._out.flush()

    def tick(self) -> None:
        if self._held and time.monotonic() - self._spoken > _SILENCE_S:
            vertex = next(iter(self._held))
            self._switch(vertex)
            self._print(vertex, self._held.pop(vertex))
            self._out.flush()

    def close(self) -> None:
        for vertex in list(self._held):
            self._switch(vertex)
            self._print(vertex, self._held.pop(vertex))
        self._out.flush()

    def _say(self, vertex: Vertex, *lines: bytes) -> None:
        current = self._current
        if current is not None and current is not vertex and not current.completed:
            self._held.setdefault(vertex, []).extend(lines)
            self.tick()
            return
        self._switch(vertex)
        self._print(vertex, lines)
        self._out.flush()

    def _end(self, vertex: Vertex, line: str) -> None:
        partial = self._partial.pop(vertex, None)
        stamp = f"{vertex.seconds():.3f} ".encode()
        last = [stamp + self._shown(bytes(partial))] if partial else []
        self._switch(vertex)
        self._print(vertex, [*self._held.pop(vertex, []), *last, line.encode()])
        self._out.flush()

    def _switch(self, vertex: Vertex) -> None:
        """Give `vertex` the word, with its name again where it had it before."""
        current = self._current
        if current is vertex:
            return
        if current is not None:
            self._out.write(b"" if current.completed else f"#{current.number} ...\n".encode())
            self._out.write(b"\n")
        elif self._began:
            self._out.write(b"\n")
        self._began = True
        if not vertex.number:
            self._count += 1
            vertex.number = self._count
        self._current = vertex
        self._out.write(f"#{vertex.number} {plain(vertex.name)}\n".encode())

    def _print(self, vertex: Vertex, lines: list[bytes] | tuple[bytes, ...]) -> None:
        for line in lines:
            self._out.write(b"#%d %s\n" % (vertex.number, line))
        self._spoken = time.monotonic()


def _bytes(count: int) -> str:
    """As BuildKit writes sizes: 512B, 1.20kB, 35.40MB."""
    return sizes.decimal(count, ".2f")
