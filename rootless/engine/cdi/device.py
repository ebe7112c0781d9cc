"""A device that can be asked for by name, and where it is described."""

from __future__ import annotations

from typing import Any, NamedTuple


class Device(NamedTuple):
    """`file` describes it, or what is called so of this machine's drivers: its `edits` of a container, and those that are `common`
    to all that the file describes, as CDI writes them. `libraries`, common too, come where the image's loader finds them: files
    of the host by the names they are loaded by."""

    file: str
    edits: dict[str, Any]
    common: dict[str, Any]
    libraries: tuple[tuple[str, str], ...] = ()
