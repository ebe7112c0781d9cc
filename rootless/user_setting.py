"""What config.toml may set, and the value of a key with where it stands. Below everything; imported where there is one."""

from __future__ import annotations

import os

from rootless.errors import InvalidInput
from rootless.record import Record

KEYS = ("cache_days", "cache_max", "emulate_ids", "limits", "network", "registries", "stores", "trusted_stores", "userns")
DEFAULT_CACHE_DAYS = 30
ERROR, WARN = "error", "warn"
"""The values of `limits`: a limit that this host cannot give is an error, or is said each time and left out."""


class Setting(Record):
    """A key of the file with its value, a text; `line` counts from 1."""

    key: str
    value: str
    path: str
    line: int

    @property
    def source(self) -> str:
        """Where it comes from: FILE:LINE."""
        return f"{self.path}:{self.line}"

    def refused(self, why: str, hint: str | None = None) -> InvalidInput:
        """The error for a value that is not one."""
        return InvalidInput(f"{self.source}: {self.key}: {why}", hint=hint)


def split_stores(text: str, source: str) -> tuple[str, ...]:
    """The paths of a list with colons, each once. InvalidInput that names `source`."""
    found = [os.path.expanduser(path) for path in text.split(":") if path]
    for path in found:
        if not path.startswith("/"):
            raise InvalidInput(f"{source}: {path} is no absolute path", hint="paths from / or ~/ on, with colons between them")
    return tuple(dict.fromkeys(os.path.normpath(path) for path in found))
