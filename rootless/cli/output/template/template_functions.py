"""The functions of templates: Go's own, and those that Docker adds."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from rootless.cli.output.template.template_printf import printf, sprint, sprintln
from rootless.cli.output.template.template_values import (
    NilPointer,
    TemplateFault,
    is_true,
    show,
    text_of,
    to_json,
    type_name,
    wanted_text,
)


def _join(value: Any, separator: str) -> str:
    if not value:
        return ""
    if not isinstance(value, (list, tuple)):
        raise TemplateFault(f"expected []string, got {type_name(value)}")
    return wanted_text(separator).join(show(item) for item in value)


def _split(value: str, separator: str) -> list[str]:
    return wanted_text(value).split(wanted_text(separator)) if separator else list(wanted_text(value))


def _pad(value: str, before: int, after: int) -> str:
    return wanted_text(value) and " " * min(before, 1 << 16) + value + " " * min(after, 1 << 16)


def _truncate(value: str, length: int) -> str:
    return wanted_text(value)[:length]


def _title(value: str) -> str:
    return re.sub(r"(^|\s)(\w)", lambda found: found[1] + found[2].upper(), wanted_text(value))


def _length(value: Any) -> int:
    if isinstance(value, (str, dict, list, tuple)):
        return len(value.encode("utf-8", "surrogateescape")) if isinstance(value, str) else len(value)
    raise TemplateFault("len of nil pointer" if value is None else f"len of type {type_name(value)}")


def _index(value: Any, *keys: Any) -> Any:
    for key in keys:
        if isinstance(value, dict):
            if not isinstance(key, str):
                raise TemplateFault(f"value has type {type_name(key)}; should be string")
            texts = bool(value) and all(isinstance(item, str) for item in value.values())
            value = value.get(key, "" if texts else None)
        elif value is None:
            raise TemplateFault("index of untyped nil")
        elif isinstance(value, NilPointer):
            raise TemplateFault("index of nil pointer")
        elif not isinstance(value, (str, list, tuple)):
            raise TemplateFault(f"can't index item of type {type_name(value)}")
        elif isinstance(key, bool) or not isinstance(key, int):
            raise TemplateFault(f"cannot index slice/array with type {type_name(key)}")
        elif not 0 <= key < len(value):
            raise TemplateFault(f"index out of range: {key}")
        else:
            value = ord(value[key]) if isinstance(value, str) else value[key]
    return value


def _slice(value: Any, start: int = 0, end: int | None = None) -> Any:
    if not isinstance(value, (str, list, tuple)):
        raise TemplateFault(
            "slice of untyped nil" if value is None else f"can't slice item of type {type_name(value)}"
        )
    stop = len(value) if end is None else end
    if not 0 <= start <= stop <= len(value):
        raise TemplateFault(f"index out of range: {stop if 0 <= start <= stop else start}")
    return value[start:stop]


def _equal(first: Any, *others: Any) -> bool:
    if not others:
        raise TemplateFault("missing argument for comparison")
    first = None if isinstance(first, NilPointer) else first
    found = False
    for other in others:
        other = None if isinstance(other, NilPointer) else other
        if first is not None and other is not None and not _comparable(first, other):
            raise TemplateFault("incompatible types for comparison")
        found = found or first == other
    return found


def _comparable(one: Any, other: Any) -> bool:
    numbers = (int, float)
    if isinstance(one, bool) or isinstance(other, bool):
        return isinstance(one, bool) and isinstance(other, bool)
    return isinstance(one, numbers) == isinstance(other, numbers) and isinstance(one, str) == isinstance(
        other, str
    )


def _ordered(test: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def compare(arg1: Any, arg2: Any) -> bool:
        if not isinstance(arg1, (str, int, float)) or isinstance(arg1, bool):
            raise TemplateFault("invalid type for comparison")
        if arg2 is None or not _comparable(arg1, arg2):
            raise TemplateFault("incompatible types for comparison")
        return test(arg1, arg2)

    return compare


_HTML = {'"': "&#34;", "'": "&#39;", "&": "&amp;", "<": "&lt;", ">": "&gt;", "\0": "\ufffd"}
_JAVASCRIPT = {"\\": "\\\\", "'": "\\'", '"': '\\"'} | {sign: f"\\u{ord(sign):04X}" for sign in "<>&="}


def _html(*values: Any) -> str:
    return "".join(_HTML.get(letter, letter) for letter in sprint(*values))


def _javascript(*values: Any) -> str:
    return "".join(
        _JAVASCRIPT.get(letter) or (letter if letter.isprintable() else f"\\u{ord(letter):04X}")
        for letter in sprint(*values)
    )


def _urlquery(*values: Any) -> str:
    from urllib.parse import quote_plus

    return quote_plus(sprint(*values), safe="-_.~", errors="surrogateescape")


def _call(value: Any, *arguments: Any) -> Any:
    if callable(value):
        return value(*arguments)
    raise TemplateFault(
        "call of nil" if value is None else f"non-function {text_of(value)} of type {type_name(value)}"
    )


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "and": lambda *values: next((value for value in values if not is_true(value)), values[-1] if values else None),
    "or": lambda *values: next((value for value in values if is_true(value)), values[-1] if values else None),
    "not": lambda arg: not is_true(arg),
    "eq": _equal,
    "ne": lambda arg1, arg2: not _equal(arg1, arg2),
    "lt": _ordered(lambda one, other: bool(one < other)),
    "le": _ordered(lambda one, other: bool(one <= other)),
    "gt": _ordered(lambda one, other: bool(one > other)),
    "ge": _ordered(lambda one, other: bool(one >= other)),
    "call": _call,
    "html": _html,
    "js": _javascript,
    "urlquery": _urlquery,
    "len": _length,
    "index": _index,
    "slice": _slice,
    "json": to_json,
    "join": _join,
    "split": _split,
    "lower": lambda value: wanted_text(value).lower(),
    "upper": lambda value: wanted_text(value).upper(),
    "title": _title,
    "pad": _pad,
    "truncate": _truncate,
    "print": sprint,
    "printf": printf,
    "println": sprintln,
}  # fmt: skip
