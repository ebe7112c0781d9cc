"""YAML as go programs read it: text in, plain values and their lines out.

go-yaml's rules: booleans are true and false alone, no numbers of base 60, no dates, octals of both spellings;
merge keys. PyYAML parses; what its events mean is decided here, because its own resolver is YAML 1.1's.
Whatever a stranger's file says, the work is bounded: depth, and the values that aliases stand for.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import yaml

from rootless.errors import InvalidInput

Tree = dict[str, Any]
Path = tuple[str | int, ...]

DEPTH_MAX = 100
VALUES_MAX = 100_000
"""Of one file, with all that its aliases stand for: as compose-go."""

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_BOOLEANS = {word: word.lower() == "true" for word in ("true", "True", "TRUE", "false", "False", "FALSE")}
_INTEGER = re.compile(r"[-+]?(?:0[bB][01_]+|0[oO]?[0-7_]+|0[xX][0-9a-fA-F_]+|[0-9][0-9_]*)")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9][0-9_]*(?:\.[0-9_]*)?)(?:[eE][-+]?[0-9]+)?")
_INFINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)")
_STANDARD = "tag:yaml.org,2002:"


class Tagged:
    """A value under a tag of the reader's own, such as compose's `!reset`."""

    def __init__(self, tag: str, value: Any) -> None:
        self.tag, self.value = tag, value


class Document(NamedTuple):
    """One YAML document: its values, and the line (from 1) on which each of them stands, by path."""

    file: str
    tree: Tree
    lines: dict[Path, int]


def documents(text: str, file: str, tags: tuple[str, ...] = ()) -> list[Document]:
    """The documents of a file that are mappings; empty ones count for nothing. InvalidInput with file and line.
    A value under one of the `tags` is Tagged; another tag that is not YAML's own is an error."""
    try:
        return _Composer(text, file, tags).documents()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise InvalidInput(f"{file}:{mark.line + 1 if mark else 1}: yaml: {error.problem or error.context}") from None
    except yaml.YAMLError as error:
        first = str(error).partition("\n")[0]
        raise InvalidInput(f"{file}: yaml: {first}", hint="the file is to be text in UTF-8") from None


class _Composer:
    def __init__(self, text: str, file: str, tags: tuple[str, ...]) -> None:
        self._tags = tags
        self._events = yaml.parse(text, Loader=_LOADER)
        self._file = file
        self._values = 0
        self._anchors: dict[str, tuple[Any, int] | None] = {}
        self._lines: dict[Path, int] = {}

    def documents(self) -> list[Document]:
        found = []
        for event in self._events:
            if not isinstance(event, yaml.DocumentStartEvent):
                continue
            self._anchors, self._lines = {}, {}
            first = next(self._events)
            tree = self._value(first, ())
            if tree is None:
                continue
            if not isinstance(tree, dict):
                raise self._error(first, "top-level object must be a mapping")
            found.append(Document(self._file, tree, self._lines))
        return found

    def _error(self, event: Any, message: str, hint: str | None = None) -> InvalidInput:
        return InvalidInput(f"{self._file}:{event.start_mark.line + 1}: {message}", hint=hint)

    def _known(self) -> str | None:
        return f"{' and '.join(self._tags)} are known" if self._tags else None

    def _count(self, event: Any, number: int) -> None:
        self._values += number
        if self._values > VALUES_MAX:
            raise self._error(event, f"yaml: more than {VALUES_MAX} values, with those that aliases stand for")

    def _value(self, event: Any, path: Path) -> Any:
        if len(path) > DEPTH_MAX:
            raise self._error(event, f"yaml: more than {DEPTH_MAX} levels")
        self._lines.setdefault(path, event.start_mark.line + 1)
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        anchor, before = event.anchor, self._values
        self._count(event, 1)
        if anchor:
            self._anchors[anchor] = None
        if isinstance(event, yaml.ScalarEvent):
            value = self._scalar(event)
        elif isinstance(event, yaml.SequenceStartEvent):
            value = self._tagged(event, self._sequence(path))
        else:
            value = self._tagged(event, self._mapping(path))
        if anchor:
            self._anchors[anchor] = (value, self._values - before)
        return value

    def _alias(self, event: Any) -> Any:
        if event.anchor not in self._anchors:
            raise self._error(event, f"yaml: unknown anchor '{event.anchor}' referenced")
        known = self._anchors[event.anchor]
        if known is None:
            raise self._error(event, f"yaml: anchor '{event.anchor}' value contains itself")
        value, size = known
        self._count(event, size)
        return value

    def _tagged(self, event: Any, value: Any) -> Any:
        if event.tag in self._tags:
            return Tagged(event.tag, value)
        if event.tag not in (None, "!", _STANDARD + "map", _STANDARD + "seq"):
            raise self._error(event, f"yaml: unknown tag {event.tag}", self._known())
        return value

    def _sequence(self, path: Path) -> list[Any]:
        found: list[Any] = []
        for event in self._events:
            if isinstance(event, yaml.SequenceEndEvent):
                break
            found.append(self._value(event, (*path, len(found))))
        return found

    def _mapping(self, path: Path) -> Tree:
        own: Tree = {}
        merged: list[Tree] = []
        for event in self._events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            key = self._key(event)
            if key == "<<" and event.implicit[0]:
                merged += self._merged(event, self._value(next(self._events), (*path, "<<")))
                continue
            if key in own:
                raise self._error(event, f"mapping key \"{key}\" already defined at line {self._lines[(*path, key)]}")
            self._lines[(*path, key)] = event.start_mark.line + 1
            own[key] = self._value(next(self._events), (*path, key))
        if not merged:
            return own
        found: Tree = {}
        for other in reversed(merged):  # the first of them wins
            found.update(other)
        return {**found, **own}

    def _key(self, event: Any) -> str:
        if not isinstance(event, yaml.ScalarEvent):
            raise self._error(event, "non-string key: a list or a mapping")
        value = self._scalar(event)
        if isinstance(value, bool):
            return "true" if value else "false"
        if value is None or isinstance(value, Tagged):
            raise self._error(event, f"non-string key: {event.value or 'null'}")
        return str(value)

    def _merged(self, event: Any, value: Any) -> list[Tree]:
        several = value if isinstance(value, list) else [value]
        several = [one.value if isinstance(one, Tagged) else one for one in several]
        if not all(isinstance(one, dict) for one in several):
            raise self._error(event, "yaml: map merge requires map or sequence of maps as the value")
        # What a key merges in is copied by reference: counted, as an alias is.
        self._count(event, sum(len(one) for one in several))
        return several

    def _scalar(self, event: Any) -> Any:
        tag, text = event.tag, event.value
        if "\0" in text:
            raise self._error(event, "a value holds a NUL, which no path, name or variable may have")
        if tag in self._tags:
            return Tagged(tag, text if event.style in ("'", '"', "|", ">") else _resolve(text))
        if tag in (None, "!"):
            return _resolve(text) if event.implicit[0] else text  # plain
        kind = tag.removeprefix(_STANDARD) if tag.startswith(_STANDARD) else ""
        if kind == "str":
            return text
        value = _resolve(text)
        kinds: dict[str, tuple[type, ...]] = {"int": (int,), "float": (float, int), "bool": (bool,), "null": (type(None),)}
        if kind not in kinds:
            raise self._error(event, f"yaml: unknown tag {tag}", self._known())
        if not isinstance(value, kinds[kind]):
            raise self._error(event, f"yaml: cannot decode `{text}` as a !!{kind}")
        return float(text.replace("_", "")) if kind == "float" and isinstance(value, int) else value


def _resolve(text: str) -> Any:
    """The value of a plain scalar."""
    if text in ("", "~", "null", "Null", "NULL"):
        return None
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    if text[0] in "0123456789-+." and len(text) <= 100:
        if _INTEGER.fullmatch(text):
            return integer(text)
        if _FLOAT.fullmatch(text):
            return float(text.replace("_", ""))
        if _INFINITE.fullmatch(text):
            return float(text.replace(".", "", 1))
        if text in (".nan", ".NaN", ".NAN"):
            return float("nan")
    return text


def integer(text: str) -> int | str:
    """A whole number of go-yaml's: 0440 and 0o440 are octal. What only looks like one stays text."""
    plain = text.replace("_", "")
    digits = plain.lstrip("+-")
    try:
        if len(digits) > 1 and digits[0] == "0" and digits[1].isdigit():
            return int(plain.replace("0", "0o", 1), 8)
        return int(plain, 0)
    except ValueError:
        return text
