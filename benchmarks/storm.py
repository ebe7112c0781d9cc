"""What saturates first when a job's ranks start on many nodes at once from one shared store: `python -m benchmarks.storm [PLOT.svg]`.

A simulation, event by event. What a start asks of the store was measured on one node (storm_measure.py, storm.json); what a file
server can do was published (SERVER). Prints a table for docs/scale.md and draws the plot. Nothing in it is random: the
same figures give the same answer.

    unpacked   each node looks up every path once and fetches every byte once; each rank opens each file with a request of its own
    squashfs   one file: each node opens it once, and fetches the pages that its ranks touch; no rank asks for anything else
    staged     one rank of a node copies the whole file to local disk first
"""

from __future__ import annotations

import heapq
import json
import math
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

RANKS = 96
NODES = (1, 10, 100, 1000)
SPREAD_S = 0.5
"""The ranks of a step do not start at one moment: srun hands them out over this time."""
BATCH = 48
CHUNK = 4 << 20


class Server(NamedTuple):
    """A file server: requests for metadata a second, seconds of one with no other beside it, bytes a second in all and to a node."""

    requests: float
    request_s: float
    bytes: float
    node_bytes: float


# Dell Storage for HPC with Intel Enterprise Edition for Lustre (white paper, 24 OSTs): stat 400,000/s by 240 threads and 2,000/s by one,
# reads near 10 GB/s in all and 926 MB/s of a single client.
SERVER = Server(400_000, 1 / 2000, 10e9, 926e6)


class Start(NamedTuple):
    """What the start on one node asks for: requests of the node, of each rank, bytes, and what it takes when all is there."""

    node_requests: int
    rank_requests: int
    bytes: int
    local_s: float


class Outcome(NamedTuple):
    """Seconds to the last rank's start, and how busy the server was until then, 0 to 1: with metadata, with data."""

    last_s: float
    metadata: float
    data: float


def starts(measured: dict[str, object]) -> dict[str, Start]:
    """The three ways, from storm.json."""
    number = {key: int(str(measured[key])) for key in ("lookups", "opens", "engine")}
    fetched, local = measured["bytes"], measured["local_s"]
    assert isinstance(fetched, dict)
    assert isinstance(local, dict)
    once = number["engine"] + 1
    return {
        "unpacked": Start(number["lookups"] + once, number["opens"], fetched["unpacked"], local["unpacked"]),
        "squashfs": Start(once, 0, fetched["squashfs"], local["squashfs"]),
        "staged": Start(once, 0, fetched["whole"], local["squashfs"]),
    }


class _Queue:
    """A server that works on one request after the other."""

    def __init__(self) -> None:
        self._free = 0.0
        self.busy = 0.0

    def serve(self, now: float, seconds: float) -> float:
        """When what comes now is done."""
        self._free = max(self._free, now) + seconds
        self.busy += seconds
        return self._free


def simulate(start: Start, nodes: int, server: Server) -> Outcome:
    """All ranks of all nodes, until the last has started."""
    metadata, data = _Queue(), _Queue()

    def requests(count: int) -> Iterator[tuple[_Queue, float, float]]:
        """Of one task, each after the answer to the one before: which queue, its work, and the way there and back."""
        for done in range(0, count, BATCH):
            batch = min(BATCH, count - done)
            yield metadata, batch / server.requests, batch * server.request_s

    def fetch(count: int) -> Iterator[tuple[_Queue, float, float]]:
        for done in range(0, count, CHUNK):
            size = min(CHUNK, count - done)
            yield data, size / server.bytes, size / server.node_bytes

    def lead() -> Iterator[tuple[_Queue, float, float]]:
        yield from requests(start.node_requests)
        yield from fetch(start.bytes)

    # (time, its number, what the task still has to do): one task of a node fetches, its ranks ask for themselves.
    events: list[tuple[float, int, Iterator[tuple[_Queue, float, float]]]] = []
    for node in range(nodes):
        events.append((SPREAD_S * node / nodes, len(events), lead()))
        for rank in range(RANKS if start.rank_requests else 0):
            at = SPREAD_S * (node * RANKS + rank) / (nodes * RANKS)
            events.append((at, len(events), requests(start.rank_requests)))
    heapq.heapify(events)
    last = SPREAD_S
    while events:
        now, number, todo = events[0]
        step = next(todo, None)
        if step is None:
            last = max(last, now)
            heapq.heappop(events)
            continue
        queue, work, way = step
        heapq.heapreplace(events, (max(queue.serve(now, work), now + way), number, todo))
    return Outcome(last + start.local_s, metadata.busy / last, data.busy / last)


def first(outcome: Outcome) -> str:
    """What is busy nearly all of the time, if anything is."""
    most, name = max((outcome.metadata, "metadata"), (outcome.data, "data"))
    return f"{name} ({most:.0%})" if most > 0.8 else f"nothing ({name} {most:.0%})"


def table(outcomes: dict[str, dict[int, Outcome]]) -> str:
    """A table of docs/scale.md."""
    heads = [f"{nodes:,} node{'s'[: nodes > 1]}" for nodes in NODES]
    lines = [f"| | {' | '.join(heads)} | saturated at {NODES[-1]:,} |", "| --- " * (len(NODES) + 2) + "|"]
    for name, found in outcomes.items():
        times = " | ".join(f"{found[nodes].last_s:.1f} s" for nodes in NODES)
        lines.append(f"| {name} | {times} | {first(found[NODES[-1]])} |")
    return "\n".join(lines)


def plot(outcomes: dict[str, dict[int, Outcome]]) -> str:
    """An SVG: seconds to the last rank over nodes, both by powers of ten."""
    width, height, edge = 560, 320, 56
    longest = max(outcome.last_s for found in outcomes.values() for outcome in found.values())
    bottom, top = -0.5, math.ceil(math.log10(longest))

    def place(nodes: float, seconds: float) -> tuple[float, float]:
        x = edge + (width - 2 * edge) * math.log10(nodes) / math.log10(NODES[-1])
        return round(x, 1), round(height - edge - (height - 2 * edge) * (math.log10(seconds) - bottom) / (top - bottom), 1)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12">',
        f"<title>Seconds until the last of {RANKS} ranks a node has started, by nodes</title>",
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
    ]
    for nodes in NODES:
        x, y = place(nodes, 10**bottom)
        parts.append(f'<text x="{x}" y="{y + 18}" text-anchor="middle" fill="#333">{nodes:,}</text>')
    for power in range(top + 1):
        x, y = place(1, 10**power)
        parts.append(f'<path d="M{x} {y}H{width - edge}" stroke="#ddd"/>')
        parts.append(f'<text x="{x - 8}" y="{y + 4}" text-anchor="end" fill="#333">{10**power} s</text>')
    for (name, found), colour in zip(outcomes.items(), ("#b3261e", "#0b57d0", "#146c2e"), strict=True):
        points = [place(nodes, found[nodes].last_s) for nodes in NODES]
        line = " ".join(f"{x},{y}" for x, y in points)
        x, y = points[-1]
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts.append(f'<text x="{x - 6}" y="{y - 7}" text-anchor="end" fill="{colour}">{name}</text>')
    parts.append(f'<text x="{width / 2}" y="{height - 12}" text-anchor="middle" fill="#333">nodes of {RANKS} ranks</text></svg>')
    return "\n".join(parts) + "\n"


def main(words: list[str]) -> None:
    measured = json.loads(Path(__file__).with_name("storm.json").read_text())
    outcomes = {name: {nodes: simulate(start, nodes, SERVER) for nodes in NODES} for name, start in starts(measured).items()}
    print(table(outcomes))
    if words:
        Path(words[0]).write_text(plot(outcomes))


if __name__ == "__main__":
    main(sys.argv[1:])
