"""The files that a mount of a RUN, or a source of a copy, shows. Pure."""

from __future__ import annotations

from typing import NamedTuple


class Tree(NamedTuple):
    """Files that a mount shows: of layers (bottom first), or of the directory of a context, less what is hidden."""

    layers: tuple[str, ...] = ()
    directory: str = ""
    hidden: tuple[str, ...] = ()
