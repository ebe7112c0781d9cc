"""The patterns of `${v#p}`, `${v%p}` and `${v/p/r}`: `*`, `?` and a backslash, no brackets.

A pattern is run over the value once, all its states at a time, as the bits of a number: no pattern and no value
takes more than their lengths multiplied.
"""

from __future__ import annotations

from rootless.build.dockerfile.error import DockerfileError

LONGEST = 1 << 20
"""Characters that one expansion may have; execve(2) takes an eighth of that in one string."""
_LONGEST_PATTERN = 4096


class Pattern:
    """A pattern as a list of characters, None for `?`, and "" for `*`."""

    def __init__(self, text: str) -> None:
        self.items = _items(text)

    def strip_prefix(self, value: str, *, longest: bool) -> str:
        """`value` without what the pattern matches at its beginning."""
        length = _match(self.items, value, longest=longest)
        return value if length is None else value[length:]

    def strip_suffix(self, value: str, *, longest: bool) -> str:
        """`value` without what the pattern matches at its end."""
        length = _match(self.items[::-1], value[::-1], longest=longest)
        return value if length is None else value[: len(value) - length]

    def replace(self, value: str, replacement: str, *, every: bool) -> str:
        """The first match, or every one, replaced; at each place the longest."""
        if not self.items:
            return replacement + (replacement.join((*value, "")) if every else value)
        starts = _starts(self.items, value)
        parts: list[str] = []
        position = size = 0
        for start in starts:
            if start < position:
                continue
            length = _match(self.items, value, start=start, longest=True)
            if length is None or (not length and parts):
                continue
            parts += (value[position:start], replacement)
            position = start + length
            size += len(replacement)
            if size > LONGEST:
                raise DockerfileError(f"the result is longer than {LONGEST} characters")
            if not every:
                break
        return "".join(parts) + value[position:]


def _items(text: str) -> list[str | None]:
    items: list[str | None] = []
    position = 0
    while position < len(text):
        character = text[position]
        if character == "*":
            if not items or items[-1] != "":
                items.append("")
        elif character == "?":
            items.append(None)
        elif character == "\\":
            position += 1
            escaped = text[position : position + 1]
            if escaped not in ("*", "?", "\\", "}", "/"):
                raise DockerfileError(
                    f"invalid pattern ({text}) in substitution: invalid escape '\\{escaped}'"
                )
            items.append(escaped)
        else:
            items.append(character)
        position += 1
    if len(items) > _LONGEST_PATTERN:
        raise DockerfileError(f"a pattern of more than {_LONGEST_PATTERN} characters in substitution")
    return items


def _masks(items: list[str | None]) -> tuple[dict[str, int], int, int]:
    """For each character the places in the pattern that it fits, those of `?`, those of `*`."""
    literal: dict[str, int] = {}
    any_one = star = 0
    for place, item in enumerate(items):
        if item is None:
            any_one |= 1 << place
        elif item == "":
            star |= 1 << place
        else:
            literal[item] = literal.get(item, 0) | 1 << place
    return literal, any_one, star


def _match(items: list[str | None], value: str, *, longest: bool, start: int = 0) -> int | None:
    """The length of the shortest or longest match at `start` of `value`."""
    literal, any_one, star = _masks(items)
    accept = 1 << len(items)
    # Bit n: the first n items have matched; a star may match nothing, so the bit behind it is set as well.
    states = 1 | (1 & star) << 1
    found = 0 if states & accept else None
    for position in range(start, len(value)):
        if found is not None and not longest:
            break
        character = value[position]
        states = (states & (literal.get(character, 0) | any_one)) << 1 | (states & star)
        states |= (states & star) << 1
        if not states:
            break
        if states & accept:
            found = position + 1 - start
    return found


def _starts(items: list[str | None], value: str) -> list[int]:
    """Where matches may begin: the reversed pattern, let in at every place, run from the value's end."""
    literal, any_one, star = _masks(items[::-1])
    accept = 1 << len(items)
    begin = 1 | (1 & star) << 1
    states = begin
    found = [len(value)] if states & accept else []
    for position in range(len(value) - 1, -1, -1):
        states = (states & (literal.get(value[position], 0) | any_one)) << 1 | (states & star) | begin
        states |= (states & star) << 1
        if states & accept:
            found.append(position)
    return found[::-1]
