"""Undoing what a failed piece of work has made. Hot path."""

from __future__ import annotations

from rootless.errors import FAILURES
from rootless.record import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Undo:
    """A context that, where an error leaves it, calls what was added, the last first; otherwise nothing.

    contextlib.ExitStack, whose import costs a start 5 ms, but for one thing: an error of the undoing never
    hides the first, and never stops the rest.
    """

    def __init__(self) -> None:
        self._steps: list[Callable[[], object]] = []

    def add(self, step: Callable[[], object]) -> None:
        """Call `step` where an error leaves the context from now on."""
        self._steps.append(step)

    def __enter__(self) -> Undo:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        while self._steps and kind is not None:
            try:
                self._steps.pop()()
            except FAILURES:
                continue
