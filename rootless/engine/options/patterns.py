"""The words of --filter: names are regular expressions, found anywhere in the name, and labels are equal."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

from rootless.errors import InvalidInput


def pattern(key: str, word: str) -> Callable[[str], object]:
    """What tells whether a name passes `--filter key=word`. InvalidInput for what is no expression."""
    try:
        return re.compile(word).search
    except (re.error, OverflowError, RecursionError) as error:
        raise InvalidInput(
            f"invalid filter '{key}={word}': {error}", hint="it is read as a regular expression"
        ) from None


def has_labels(labels: Mapping[str, str], words: Iterable[str]) -> bool:
    """Whether there is every `KEY` or `KEY=VALUE` of `--filter label=`."""
    pairs = [word.partition("=") for word in words]
    return all(key in labels and (not equals or labels[key] == value) for key, equals, value in pairs)


def passes_labels(labels: Mapping[str, str], filters: Mapping[str, list[str]]) -> bool:
    """Whether every `label` and no `label!` of a prune's filters is there."""
    return has_labels(labels, filters.get("label", ())) and not any(
        has_labels(labels, [word]) for word in filters.get("label!", ())
    )
