"""Patterns for paths: Go's filepath.Match, and the `**` of ignore files besides.

Pure. One pattern is read into a list of tokens once. Mostly it becomes a regular expression; one that
could make those try for ever (a stranger's context has its own ignore file) is matched token by token.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from rootless.errors import InvalidInput

_MOST_BACKTRACKING = 3


class Literal(NamedTuple):
    """One character that stands for itself."""

    character: str


class AnyCharacter(NamedTuple):
    """`?`: one character that is no slash."""


class CharacterClass(NamedTuple):
    """`[a-z]`, `[^a-z]`: one character within, or outside of, the ranges; as in Go that may be a slash."""

    negated: bool
    ranges: tuple[tuple[str, str], ...]


class Star(NamedTuple):
    """`*`: any number of characters, none of them a slash."""


class Directories(NamedTuple):
    """`**` or `**/` before more of the pattern: nothing, or anything that ends with a slash."""


class Everything(NamedTuple):
    """`**` at the end, or before a name in plain text without a slash between: whatever is there."""


Token = Literal | AnyCharacter | CharacterClass | Star | Directories | Everything


def has_wildcards(pattern: str) -> bool:
    """Whether `*`, `?` or `[` stands in it without a backslash before it."""
    return _unescaped(pattern, "*?[")


def _unescaped(pattern: str, wanted: str) -> bool:
    escaped = False
    for character in pattern:
        if escaped:
            escaped = False
        elif character == "\\":
            escaped = True
        elif character in wanted:
            return True
    return False


def escape(text: str) -> str:
    """The pattern, without wildcards, that means this text."""
    return re.sub(r"([*?\[\\])", r"\\\1", text)


def unescape(pattern: str) -> str:
    """A pattern without wildcards as the text it means."""
    return re.sub(r"\\(.)", r"\1", pattern, flags=re.DOTALL)


def tokens(pattern: str, *, double_star: bool) -> list[Token]:
    """The pattern's tokens. With `double_star`, `**` crosses slashes; else it is `*`, as in filepath.Match.

    InvalidInput for a class that is not closed, empty or backwards, and for a backslash at the end.
    """
    found: list[Token] = []
    position, end = 0, len(pattern)
    while position < end:
        character = pattern[position]
        position += 1
        if character == "*":
            if double_star and pattern[position : position + 1] == "*":
                position += 1
                if pattern[position : position + 1] == "/":
                    position += 1
                found.append(Directories() if position < end else Everything())
            else:
                found.append(Star())
        elif character == "?":
            found.append(AnyCharacter())
        elif character == "[":
            one, position = _character_class(pattern, position)
            found.append(one)
        elif character == "\\":
            if position == end:
                raise _bad(pattern)
            found.append(Literal(pattern[position]))
            position += 1
        else:
            found.append(Literal(character))
    if found and isinstance(found[0], Directories) and pattern[2] != "/" and not _special(pattern[2:]):
        # moby/patternmatcher compares the ends: **.go is x.go, too.
        found[0] = Everything()
    return found


def _special(pattern: str) -> bool:
    return not set("*?[]\\").isdisjoint(pattern)


def _bad(pattern: str) -> InvalidInput:
    return InvalidInput(
        f"syntax error in pattern: {pattern!r}",
        hint="close what [ opens; a backslash takes the meaning of the character after it, so none stands at the end",
    )


def _character_class(pattern: str, position: int) -> tuple[CharacterClass, int]:
    negated = pattern[position : position + 1] == "^"
    position += negated
    ranges: list[tuple[str, str]] = []
    while not (pattern[position : position + 1] == "]" and ranges):
        low, position = _class_character(pattern, position)
        high = low
        if pattern[position : position + 1] == "-":
            high, position = _class_character(pattern, position + 1)
        if high < low:
            raise _bad(pattern)
        ranges.append((low, high))
    return CharacterClass(negated, tuple(ranges)), position + 1


def _class_character(pattern: str, position: int) -> tuple[str, int]:
    character = pattern[position : position + 1]
    if character in ("", "-", "]"):
        raise _bad(pattern)
    if character == "\\":
        position += 1
        character = pattern[position : position + 1]
        if not character:
            raise _bad(pattern)
    return character, position + 1


def takes(token: CharacterClass, character: str) -> bool:
    """Whether the class has this character."""
    return any(low <= character <= high for low, high in token.ranges) != token.negated


def expression(pattern: list[Token]) -> str:
    """The regular expression of the tokens, for `re.DOTALL` and a match of the whole path."""
    parts: list[str] = []
    for number, token in enumerate(pattern):
        if isinstance(token, Literal):
            parts.append(re.escape(token.character))
        elif isinstance(token, AnyCharacter):
            parts.append("[^/]")
        elif isinstance(token, CharacterClass):
            inside = "".join(f"{re.escape(low)}-{re.escape(high)}" for low, high in token.ranges)
            parts.append(f"[{'^' if token.negated else ''}{inside}]")
        elif isinstance(token, Star):
            if number and isinstance(pattern[number - 1], Star):
                continue
            parts.append("[^/]*")
        else:
            parts.append("(?:.*/)?" if isinstance(token, Directories) else ".*")
    return "".join(parts)


def backtracks(pattern: list[Token]) -> bool:
    """Whether the expression has so many wildcards that a long path could be tried for ever."""
    return sum(isinstance(token, (Star, Directories)) for token in pattern[:-1]) > _MOST_BACKTRACKING


def matches_by_tokens(pattern: list[Token], path: str) -> bool:
    """What `expression` would match, in time that is the product of both lengths."""
    here = {0}
    end = len(path)
    for token in pattern:
        if isinstance(token, Star):
            there = set(here)
            for position in sorted(here):
                while position < end and path[position] != "/" and position + 1 not in there:
                    position += 1
                    there.add(position)
        elif isinstance(token, Directories):
            first = min(here)
            there = here | {number + 1 for number in range(first, end) if path[number] == "/"}
        elif isinstance(token, Everything):
            there = set(range(min(here), end + 1))
        else:
            there = {position + 1 for position in here if position < end and _is_one(token, path[position])}
        if not there:
            return False
        here = there
    return end in here


def _is_one(token: Literal | AnyCharacter | CharacterClass, character: str) -> bool:
    if isinstance(token, Literal):
        return token.character == character
    if isinstance(token, AnyCharacter):
        return character != "/"
    return takes(token, character)


class Match:
    """Go's filepath.Match for one pattern: `*` and `?` stop at slashes, `**` is no more than `*`."""

    def __init__(self, pattern: str) -> None:
        self._tokens = tokens(pattern, double_star=False)
        self._expression = None if backtracks(self._tokens) else re.compile(expression(self._tokens), re.DOTALL)

    def __call__(self, path: str) -> bool:
        if self._expression is None:
            return matches_by_tokens(self._tokens, path)
        return self._expression.fullmatch(path) is not None
