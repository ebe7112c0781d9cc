"""The type of the fixture `joined`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

T = TypeVar("T")


class Joined(Protocol):
    """joined(action): what `action` returns or raises, in a child that is root of the session."""

    def __call__(self, action: Callable[[], T], /) -> T: ...
