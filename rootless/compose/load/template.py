"""`$NAME`, `${NAME}` and their operators in one text, as compose-go substitutes them.

`$$` is a dollar. `:-` `-` default, `:?` `?` required, `:+` `+` alternative; the operator that comes first in the text is
the one, and what stands behind it may have variables itself. Braces are matched by counting.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

_NAME = re.compile(r"[_a-zA-Z][_a-zA-Z0-9]*")
_OPERATORS = (":-", ":?", ":+", "-", "?", "+")
DEPTH_MAX = 50


class InvalidTemplate(Exception):
    """The text is none: its message says why."""


class MissingVariable(InvalidTemplate):
    """One that is required has no value."""


class Variable(NamedTuple):
    """One variable of a text: `config --variables` lists them."""

    name: str
    required: bool = False
    default: str = ""
    alternate: str = ""


def substitute(text: str, values: Mapping[str, str], unset: Callable[[str], None], depth: int = 0) -> str:
    """The text with its variables replaced; `unset` is told of each that has no value and no default."""
    if "$" not in text:
        return text
    if depth > DEPTH_MAX:
        raise InvalidTemplate(f'"{text[:60]}"')
    found = []
    for kind, piece in _pieces(text):
        if kind == "text":
            found.append(piece)
        elif kind == "name":
            if piece not in values:
                unset(piece)
            found.append(values.get(piece, ""))
        else:
            found.append(_braced(piece, values, unset, depth))
    return "".join(found)


def _pieces(text: str) -> Iterator[tuple[str, str]]:
    at = 0
    while (dollar := text.find("$", at)) >= 0:
        yield "text", text[at:dollar]
        rest = text[dollar + 1 : dollar + 2]
        if rest == "$":
            yield "text", "$"
            at = dollar + 2
        elif rest == "{":
            end = _closing(text, dollar)
            yield "braced", text[dollar + 2 : end]
            at = end + 1
        elif name := _NAME.match(text, dollar + 1):
            yield "name", name[0]
            at = name.end()
        else:
            raise InvalidTemplate(f'"{text}"')
    yield "text", text[at:]


def _closing(text: str, start: int) -> int:
    depth, at = 0, start
    while at < len(text):
        if text.startswith("${", at):
            depth, at = depth + 1, at + 2
        elif text[at] == "}":
            depth -= 1
            if depth == 0:
                return at
            at += 1
        else:
            at += 1
    raise InvalidTemplate(f'"{text}"')


def _split(inner: str) -> tuple[str, str, str]:
    """Name, operator and what stands behind it."""
    name = _NAME.match(inner)
    if name is None:
        raise InvalidTemplate(f'"${{{inner}}}"')
    rest = inner[name.end() :]
    if not rest:
        return name[0], "", ""
    operator = next((one for one in _OPERATORS if rest.startswith(one)), "")
    if not operator:
        raise InvalidTemplate(f'"${{{inner}}}"')
    return name[0], operator, rest[len(operator) :]


def _braced(inner: str, values: Mapping[str, str], unset: Callable[[str], None], depth: int) -> str:
    name, operator, word = _split(inner)
    value = values.get(name)
    has = value is not None and (value != "" or not operator.startswith(":"))
    if operator.endswith("+"):
        return substitute(word, values, unset, depth + 1) if has else ""
    if has:
        return value or ""
    if operator.endswith("-"):
        return substitute(word, values, unset, depth + 1)
    if operator.endswith("?"):
        reason = substitute(word, values, unset, depth + 1)
        raise MissingVariable(f"required variable {name} is missing a value" + (f": {reason}" if reason else ""))
    unset(name)
    return ""


def variables(text: str) -> Iterator[Variable]:
    """The variables that the text names, and those of their defaults."""
    for kind, piece in _pieces(text):
        if kind == "name":
            yield Variable(piece)
        elif kind == "braced":
            name, operator, word = _split(piece)
            yield Variable(
                name,
                operator.endswith("?"),
                word if operator.endswith("-") else "",
                word if operator.endswith("+") else "",
            )
            if operator and not operator.endswith("?"):
                yield from variables(word)
