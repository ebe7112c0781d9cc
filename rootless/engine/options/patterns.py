"""Names that a filter means: Docker's are regular expressions, found anywhere in the name."""

from __future__ import annotations

import re
from collections.abc import Callable

from rootless.errors import InvalidInput


def pattern(key: str, word: str) -> Callable[[str], object]:
    """What tells whether a name passes `--filter key=word`. InvalidInput for what is no expression."""
    try:
        return re.compile(word).search
    except (re.error, OverflowError, RecursionError) as error:
        raise InvalidInput(
            f"invalid filter '{key}={word}': {error}", hint="it is read as a regular expression"
        ) from None
