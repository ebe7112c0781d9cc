"""What the loader asks of the world: texts of files. The room has no other way out."""

from __future__ import annotations

from typing import Protocol


class Reader(Protocol):
    """Reads small files by absolute paths."""

    def read(self, path: str) -> str:
        """The text of the file. NotFound, InvalidInput: no regular file, too large, not UTF-8."""

    def exists(self, path: str) -> bool:
        """Whether there is something at the path."""
