"""What Go templates compute with: the functions, truth, fields, and how values are printed."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any


class TemplateFault(Exception):
    """A value does not fit; the template adds where."""


def field(value: Any, name: str) -> Any:
    """`.name` of a dict; of nothing it is nothing, as Go has it for maps of anything."""
    if isinstance(value, dict):
        if name in value:
            return value[name]
        raise TemplateFault(f'no field "{name}"{_known(value)}')
    if value is None:
        raise TemplateFault(f"nil data; no entry for key {json.dumps(name)}")
    raise TemplateFault(f"can't evaluate field {name} in {show(value)}")


def _known(value: dict[str, Any]) -> str:
    names = [key for key in value if isinstance(key, str) and key.isidentifier()]
    return f"; there is {', '.join(names)}" if 0 < len(names) <= 40 else ""


def is_true(value: Any) -> bool:
    """Go's truth: not false, 0, nil or empty."""
    return bool(value)


def show(value: Any) -> str:
    """As Go's %v: `[a b]`, `map[k:v]`, `true`, `<no value>`."""
    if isinstance(value, str):
        return value
    if value is None:
        return "<no value>"
    return _inner(value)


def _inner(value: Any) -> str:
    if value is None:
        return "<nil>"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "map[" + " ".join(f"{key}:{_inner(item)}" for key, item in sorted_items(value)) + "]"
    if isinstance(value, (list, tuple)):
        return "[" + " ".join(_inner(item) for item in value) + "]"
    if isinstance(value, float):
        return f"{int(value)}" if value.is_integer() and abs(value) < 1e21 else repr(value)
    return str(value)


def sorted_items(value: dict[Any, Any]) -> list[tuple[Any, Any]]:
    """Go prints and walks maps in the order of their keys."""
    return sorted(value.items(), key=lambda item: str(item[0]))


def to_json(value: Any) -> str:
    """One line, as Go's encoder without HTML escapes; functions are left out."""
    return json.dumps(_data(value), separators=(",", ":"), ensure_ascii=False)


def _data(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _data(item) for key, item in value.items() if not callable(item)}
    if isinstance(value, (list, tuple)):
        return [_data(item) for item in value]
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TemplateFault(f"wrong type: expected string, got {_inner(value)}")
    return value


def _join(value: Any, separator: Any) -> str:
    if value is None:
        return ""
    if not isinstance(value, (list, tuple)):
        raise TemplateFault(f"wrong type for join: {_inner(value)} is no list")
    return _text(separator).join(show(item) for item in value)


def _split(value: Any, separator: Any) -> list[str]:
    return _text(value).split(_text(separator)) if separator else list(_text(value))


def _pad(value: Any, before: int, after: int) -> str:
    return _text(value) and " " * before + _text(value) + " " * after


def _truncate(value: Any, length: int) -> str:
    return _text(value)[:length]


def _length(value: Any) -> int:
    if isinstance(value, (str, dict, list, tuple)):
        return len(value.encode()) if isinstance(value, str) else len(value)
    raise TemplateFault(f"len of type {_inner(value)}" if value is not None else "len of nil pointer")


def _index(value: Any, *keys: Any) -> Any:
    for key in keys:
        if isinstance(value, dict):
            value = value.get(
                key, "" if value and all(isinstance(item, str) for item in value.values()) else None
            )
        elif value is None:
            raise TemplateFault("index of untyped nil")
        elif isinstance(key, bool) or not isinstance(key, int):
            raise TemplateFault(f"cannot index with {_inner(key)}")
        elif not 0 <= key < len(value):
            raise TemplateFault(f"index out of range: {key}")
        else:
            value = ord(value[key]) if isinstance(value, str) else value[key]
    return value


def _slice(value: Any, start: int = 0, end: int | None = None) -> Any:
    stop = len(value) if end is None else end
    if not 0 <= start <= stop <= len(value):
        raise TemplateFault(f"index out of range: {stop if start <= stop else start}")
    return value[start:stop]


def _equal(first: Any, *others: Any) -> bool:
    if not others:
        raise TemplateFault("missing argument for comparison")
    for other in others:
        if first is not None and other is not None and not _comparable(first, other):
            raise TemplateFault("incompatible types for comparison")
    return any(first == other for other in others)


def _comparable(one: Any, other: Any) -> bool:
    numbers = (int, float)
    if isinstance(one, bool) or isinstance(other, bool):
        return isinstance(one, bool) and isinstance(other, bool)
    return isinstance(one, numbers) == isinstance(other, numbers) and isinstance(one, str) == isinstance(
        other, str
    )


def _ordered(test: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def compare(one: Any, other: Any) -> bool:
        if one is None or other is None or not _comparable(one, other):
            raise TemplateFault("incompatible types for comparison")
        return test(one, other)

    return compare


_VERB = re.compile(r"%([-+ #0]*)(\d+|\*)?(?:\.(\d+|\*))?([a-zA-Z%])")


def printf(pattern: Any, *arguments: Any) -> str:
    """Go's Sprintf for the verbs s v q d x X f g e t c and %, with widths."""
    rest = list(arguments)

    def one(found: re.Match[str]) -> str:
        flags, width, precision, verb = found.groups()
        if verb == "%":
            return "%"
        width = str(rest.pop(0)) if width == "*" else width
        if not rest:
            return f"%!{verb}(MISSING)"
        value = rest.pop(0)
        text = _verb(verb, flags, precision, value)
        if width and "-" in flags:
            return text.ljust(int(width))
        if width and "0" in flags and verb in "dxXfge":
            return text.zfill(int(width))
        return text.rjust(int(width)) if width else text

    text = _VERB.sub(one, _text(pattern))
    if rest:
        text += "%!(EXTRA " + ", ".join(f"{_kind(value)}={_inner(value)}" for value in rest) + ")"
    return text


def _verb(verb: str, flags: str, precision: str | None, value: Any) -> str:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if verb in "sv" and (verb == "v" or not number):
        text = _inner(value)
        return text[: int(precision)] if precision and verb == "s" else text
    if verb == "q" and isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if verb == "t" and isinstance(value, bool):
        return _inner(value)
    if verb == "x" and isinstance(value, str):
        return value.encode().hex()
    if verb == "c" and isinstance(value, int):
        return chr(value)
    if verb in "dxX" and isinstance(value, int) and number:
        return format(value, ("+" if "+" in flags else "") + verb)
    if verb in "fge" and isinstance(value, float):
        return format(value, f".{precision}{verb}" if precision else verb)
    return f"%!{verb}({_kind(value)}={_inner(value)})"


def _kind(value: Any) -> str:
    names = {str: "string", bool: "bool", int: "int", float: "float64", dict: "map", list: "slice"}
    return names.get(type(value), "<nil>")


def _print(*values: Any) -> str:
    text = ""
    for at, value in enumerate(values):  # Go puts a space between two values where neither is a string
        if at and not isinstance(value, str) and not isinstance(values[at - 1], str):
            text += " "
        text += _inner(value)
    return text


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "and": lambda *values: next((value for value in values if not value), values[-1] if values else None),
    "or": lambda *values: next((value for value in values if value), values[-1] if values else None),
    "not": lambda value: not is_true(value),
    "eq": _equal,
    "ne": lambda one, other: not _equal(one, other),
    "lt": _ordered(lambda one, other: one < other),
    "le": _ordered(lambda one, other: one <= other),
    "gt": _ordered(lambda one, other: one > other),
    "ge": _ordered(lambda one, other: one >= other),
    "len": _length,
    "index": _index,
    "slice": _slice,
    "json": to_json,
    "join": _join,
    "split": _split,
    "lower": lambda value: _text(value).lower(),
    "upper": lambda value: _text(value).upper(),
    "title": lambda value: re.sub(r"(^|\s)(\w)", lambda found: found[1] + found[2].upper(), _text(value)),
    "pad": _pad,
    "truncate": _truncate,
    "print": _print,
    "printf": printf,
    "println": lambda *values: " ".join(_inner(value) for value in values) + "\n",
}  # fmt: skip
