"""Aligned tables as Docker prints them. Hot path."""

from __future__ import annotations

import sys

from rootless.record import TYPE_CHECKING
from rootless.words import plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["ellipsis", "plain", "print_table", "render", "short_id", "width"]

GAP, NARROWEST = 3, 10
"""Spaces after a cell, and the width a column has at least with them, as in Docker's tables."""


def print_table(
    header: Sequence[str] | None, rows: Iterable[Sequence[str]], *, narrowest: int = NARROWEST
) -> None:
    """Write `rows` under `header` (None: rows only, still aligned) to stdout, in one write."""
    sys.stdout.write(render(header, rows, narrowest))


def render(header: Sequence[str] | None, rows: Iterable[Sequence[str]], narrowest: int = NARROWEST) -> str:
    """The table as text: every column as wide as its widest cell plus GAP, the last one unpadded."""
    lines = [[plain(cell) for cell in row] for row in rows]
    if header is not None:
        lines.insert(0, list(header))
    if not lines:
        return ""
    columns = max(len(line) for line in lines)
    widths = [
        max(narrowest, GAP + max(width(line[at]) for line in lines if at < len(line)))
        for at in range(columns)
    ]
    text = []
    for line in lines:
        cells = [cell + " " * (widths[at] - width(cell)) for at, cell in enumerate(line[:-1])]
        text.append("".join(cells) + line[-1])
    return "\n".join(text) + "\n"


def width(text: str) -> int:
    """Terminal columns of `text`; the wide letters of East Asia take two."""
    if text.isascii():
        return len(text)
    import unicodedata

    return sum(
        0 if unicodedata.combining(letter) else 2 if unicodedata.east_asian_width(letter) in "WF" else 1
        for letter in text
    )


def ellipsis(text: str, limit: int) -> str:
    """`text`, or its first `limit` - 1 letters and `…`, as Docker shortens commands."""
    if len(text) <= limit:
        return text
    return text[: limit - 1] + "…" if limit > 1 else text[:limit]


def short_id(identifier: str) -> str:
    """The twelve hexadecimal digits that lists show."""
    return identifier.removeprefix("sha256:")[:12]
