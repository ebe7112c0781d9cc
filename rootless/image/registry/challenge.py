"""WWW-Authenticate headers: the grammar of RFC 9110, section 11, as registries use it."""

from __future__ import annotations

from typing import NamedTuple

_TOKEN = frozenset("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")


class Challenge(NamedTuple):
    """One way to authenticate: `scheme` and parameter names are in lower case."""

    scheme: str
    parameters: dict[str, str]


def parse(header: str) -> list[Challenge]:
    """All challenges in `header`, in order; what cannot be read is skipped, never an error."""
    found: list[Challenge] = []
    position = 0
    while position < len(header):
        character = header[position]
        if character not in _TOKEN:
            position += 1
            continue
        word, position = _token(header, position)
        after = _skip_spaces(header, position)
        if found and after < len(header) and header[after] == "=":
            value, position = _value(header, _skip_spaces(header, after + 1))
            found[-1].parameters.setdefault(word.lower(), value)
        else:
            found.append(Challenge(word.lower(), {}))
    return found


def _token(text: str, start: int) -> tuple[str, int]:
    end = start
    while end < len(text) and text[end] in _TOKEN:
        end += 1
    return text[start:end], end


def _skip_spaces(text: str, position: int) -> int:
    while position < len(text) and text[position] in " \t":
        position += 1
    return position


def _value(text: str, position: int) -> tuple[str, int]:
    if position >= len(text) or text[position] != '"':
        # Unquoted values hold more than tokens in the wild (URLs, scopes).
        end = position
        while end < len(text) and text[end] not in " \t,":
            end += 1
        return text[position:end], end
    characters = []
    position += 1
    while position < len(text) and text[position] != '"':
        if text[position] == "\\" and position + 1 < len(text):
            position += 1
        characters.append(text[position])
        position += 1
    return "".join(characters), position + 1
