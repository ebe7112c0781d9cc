"""Whether a container is paused, as its state.json says it; on a full disk as the file's name says it.

A paused container holds memory, and one that cannot be let go on cannot free what it holds: both work without
space. Nothing can be written then, so state.json is renamed, as restart.json is for a stop (restart.py). Hot path.
"""

from __future__ import annotations

import errno
import os

from rootless import atomic
from rootless.record import TYPE_CHECKING
from rootless.storage import shape

if TYPE_CHECKING:
    from typing import Any


def write(directory: str, state: dict[str, Any], *, paused: bool) -> None:
    """Record in the container's directory that it is paused, or is not; `state` is what read_state() gave.

    The caller holds the container's lock. OSError where not even a rename is possible, as on a read-only disk.
    """
    try:
        atomic.write_json(f"{directory}/state.json", {**state, "paused": paused})
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        _rename(directory, paused=paused)
        return
    for name in shape.RENAMED_STATES:
        try:
            os.unlink(f"{directory}/{name}")
        except FileNotFoundError:
            pass


def _rename(directory: str, *, paused: bool) -> None:
    """Give the file that read_state() reads the name that says `paused`, and remove what another run left."""
    present = [name for name in ("state.json", *shape.RENAMED_STATES) if os.path.exists(f"{directory}/{name}")]
    for name in present[1:]:
        os.unlink(f"{directory}/{name}")
    (wanted,) = (name for name, says in shape.RENAMED_STATES.items() if says is paused)
    os.rename(f"{directory}/{present[0]}", f"{directory}/{wanted}")
