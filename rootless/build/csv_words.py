"""Options of several words in one: `key=value,key=value`, quoted as CSV quotes. Pure."""

from __future__ import annotations

import csv

from rootless.errors import InvalidInput


def words(text: str) -> list[str]:
    """The comma-separated parts; one that holds a comma stands in double quotes."""
    try:
        rows = list(csv.reader([text], strict=True))
    except csv.Error as error:
        raise InvalidInput(f"invalid value {text!r}: {error}") from None
    return rows[0] if rows else []


def fields(text: str) -> list[tuple[str, str]]:
    """The parts as pairs, keys in lower case; one without `=` has the value ""."""
    found = []
    for word in words(text):
        key, _, value = word.partition("=")
        found.append((key.strip().lower(), value))
    return found
