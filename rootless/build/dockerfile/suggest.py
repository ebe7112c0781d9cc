"""`(did you mean FROM?)`: the nearest of the words that would have been right."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

_FARTHEST = 2
_MOST_OPTIONS = 1000
_LONGEST = 64
"""Of a word that is compared: what is longer is no slip of the finger."""


def nearest(word: str, options: Iterable[str], *, any_case: bool = False) -> str:
    """The option at most two edits away from `word`, "" where there is none or `word` is one itself."""
    best, least = "", _FARTHEST + 1
    wanted = word.lower() if any_case else word
    for option in islice(options, _MOST_OPTIONS):
        compared = option.lower() if any_case else option
        if compared == wanted:
            return ""
        if len(wanted) <= _LONGEST and abs(len(compared) - len(wanted)) < least:
            distance = _distance(wanted, compared)
            if distance < least:
                best, least = option, distance
    return best


def did_you_mean(word: str, options: Iterable[str], *, any_case: bool = False) -> str:
    """What stands behind an error's sentence, with its blank; "" where nothing is near."""
    best = nearest(word, options, any_case=any_case)
    return f" (did you mean {best}?)" if best else ""


def _distance(one: str, other: str) -> int:
    """Levenshtein's: insertions, removals, exchanges."""
    above = list(range(len(other) + 1))
    for row, left in enumerate(one, 1):
        here = [row]
        for column, right in enumerate(other, 1):
            here.append(min(above[column] + 1, here[-1] + 1, above[column - 1] + (left != right)))
        above = here
    return above[-1]
