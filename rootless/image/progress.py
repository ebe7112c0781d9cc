"""What a long operation reports to its caller while it works; how it looks is the front end's.

The callback runs in the process that called `pull`, `push`, `load` or `bootstrap`, never in a
worker, and at most some ten times a second for one subject.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple, Protocol


class Phase(StrEnum):
    """What is being done to the subject, in the order in which it happens."""

    RESOLVING = "resolving"
    WAITING = "waiting"
    DOWNLOADING = "downloading"
    RETRYING = "retrying"
    UNPACKING = "unpacking"
    DONE = "done"
    EXISTS = "already exists"
    PREPARING = "preparing"
    PACKING = "packing"
    PUSHING = "pushing"
    PUSHED = "pushed"
    MOUNTED = "mounted"
    PUSHED_BEFORE = "layer already exists"
    MESSAGE = "message"


WORDS = {
    Phase.RESOLVING: "Resolving",
    Phase.WAITING: "Waiting",
    Phase.DOWNLOADING: "Downloading",
    Phase.RETRYING: "Retrying",
    Phase.UNPACKING: "Extracting",
    Phase.DONE: "Pull complete",
    Phase.EXISTS: "Already exists",
    Phase.PREPARING: "Preparing",
    Phase.PACKING: "Compressing",
    Phase.PUSHING: "Pushing",
    Phase.PUSHED: "Pushed",
    Phase.MOUNTED: "Mounted from",
    Phase.PUSHED_BEFORE: "Layer already exists",
}
"""What Docker calls what is being done to a layer; behind MOUNTED comes the repository."""


class Event(NamedTuple):
    """One step forward of one subject.

    `subject` is a layer's digest shortened to 12 digits, or "" for the whole operation.
    `total_bytes` is 0 where it is not known. `text` is a line for people: the whole of it for
    MESSAGE, the reason for RETRYING, the repository for MOUNTED.
    """

    subject: str
    phase: Phase
    done_bytes: int = 0
    total_bytes: int = 0
    text: str = ""


class Progress(Protocol):
    """Receives events; must not raise and must return quickly."""

    def __call__(self, event: Event, /) -> None: ...


def silent(event: Event, /) -> None:
    """The Progress of --quiet."""
