"""The results as a Markdown table and as JSON."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import time
from fractions import Fraction
from pathlib import Path

from benchmarks.measure import Row

HEADER = "| case | peer | ours | peer's | ours / peer's | goal | |\n|---|---|--:|--:|--:|--:|---|\n"


def machine() -> dict[str, str | int]:
    """What the figures depend on; nothing that names the machine."""
    programs = {
        "podman": ["podman", "--version"],
        "runc": ["runc", "--version"],
        "bwrap": ["bwrap", "--version"],
    }
    facts: dict[str, str | int] = {
        "date": time.strftime("%Y-%m-%d"),
        "kernel": platform.release().split("-")[0],
        "python": platform.python_version(),
        "cores": os.cpu_count() or 0,
        "architecture": platform.machine(),
    }
    for name, argv in programs.items():
        try:
            done = subprocess.run(argv, capture_output=True, text=True, check=False)
        except OSError:
            continue
        facts[name] = done.stdout.splitlines()[0].split()[-1] if done.stdout else "unknown"
    return facts


def markdown(rows: list[Row]) -> str:
    """The table; a goal that is missed says so and fails nothing."""
    return HEADER + "".join(map(_line, rows))


def _line(row: Row) -> str:
    ours = f"{row.ours:.1f} {row.unit}"
    theirs = f"{row.theirs:.1f} {row.unit}" if row.peer else ""
    ratio = f"{row.ratio:.2f}" if row.peer else ""
    goal = str(Fraction(row.goal).limit_denominator(10)) if row.goal else ""
    verdict = "" if not row.goal else "reached" if row.ratio <= row.goal else "**missed**"
    return f"| {row.case} | {row.peer} | {ours} | {theirs} | {ratio} | {goal} | {verdict} |\n"


def write(rows: list[Row], directory: Path) -> None:
    """results/latest.md and results/latest.json."""
    directory.mkdir(exist_ok=True)
    facts = machine()
    about = ", ".join(f"{key} {value}" for key, value in facts.items())
    (directory / "latest.md").write_text(f"{markdown(rows)}\n{about}\n")
    data = {"machine": facts, "rows": [row._asdict() for row in rows]}
    (directory / "latest.json").write_text(json.dumps(data, indent=1) + "\n")
