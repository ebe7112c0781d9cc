"""The names and places of the steps that steps.py makes: "step:<id>" is a directory of its own, or a layer by now."""

from __future__ import annotations

import os

from rootless.errors import InvalidInput
from rootless.record import TYPE_CHECKING
from rootless.storage.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator

PREFIX = "step:"
LAYER = ".layer"
"""Ends the name of the link to the layer that a step has become."""
_HEX = frozenset("0123456789abcdef")


def top(store: Store) -> str:
    """The directory of all steps."""
    return f"{store.root}/build/steps"


def directory(store: Store, step: str) -> str:
    """Where the step "step:<id>" is now: by itself, or as a layer. InvalidInput for what is no step's name."""
    name = step.removeprefix(PREFIX)
    if len(name) != 32 or not _HEX.issuperset(name):
        raise InvalidInput(f"invalid name of a build step {step[:100]!r}")
    own = f"{top(store)}/{name}"
    if not os.path.isdir(own) and os.path.isdir(own + LAYER):
        return os.path.realpath(own + LAYER)
    return own


def diff_id(store: Store, step: str) -> str:
    """The diff id of a step that is a layer by now; "" where it has none yet."""
    try:
        target = os.readlink(f"{top(store)}/{step.removeprefix(PREFIX)}{LAYER}")
    except OSError:
        return ""
    found = "sha256:" + os.path.basename(target)
    return found if os.path.isdir(f"{store.layers}/{os.path.basename(target)}") else ""


def names(store: Store) -> list[str]:
    """Every step's name, "step:<id>", whichever place it is in."""
    return sorted({PREFIX + entry.removesuffix(LAYER) for entry in entries(store) if entry[:1] != "."})


def layers_of_steps(store: Store) -> set[str]:
    """The diff ids of steps that are layers: what the build cache keeps of the layers."""
    return {found for name in names(store) if (found := diff_id(store, name))}


def unnamed(store: Store) -> Iterator[str]:
    """The directories of the steps that are no layers yet."""
    for entry in entries(store):
        if entry[:1] != "." and not entry.endswith(LAYER):
            yield f"{top(store)}/{entry}"


def entries(store: Store) -> list[str]:
    try:
        return os.listdir(top(store))
    except FileNotFoundError:
        return []
