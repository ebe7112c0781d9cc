"""Patterns of paths in the model: `services.*.build.args`, where * is one key or one place in a list."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from rootless.yamltext.document import Path

T = TypeVar("T")


class PathTable(dict[str, T]):
    """What belongs to a path, by its pattern."""

    def __init__(self, entries: Mapping[str, T]) -> None:
        super().__init__(entries)
        self._split: dict[int, list[tuple[list[str], T]]] = {}
        for pattern, value in entries.items():
            parts = pattern.split(".")
            self._split.setdefault(len(parts), []).append((parts, value))

    def at(self, path: Path) -> T | None:
        """What the pattern that matches the path says; None where none does."""
        for parts, value in self._split.get(len(path), ()):
            if all(part in ("*", at) for part, at in zip(parts, path, strict=True)):
                return value
        return None


def shown(path: Path) -> str:
    """A path as messages name it: services.web.ports[0]."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text
