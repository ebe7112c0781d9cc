"""Docker's objects as the typed things they are: every field of a struct exists, and has Go's zero value if unset.

A table of structs is text as Go writes it, a field a line, with the JSON name after a colon where it is another:

    NanoCPUs:NanoCpus int64
    Health *container.Health omitempty

An Object holds all fields under their JSON names, those of `omitempty` too; `plain` gives what Docker's JSON
has. Knows no command and prints nothing; the tables stand in container.py and its fellows.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any, NamedTuple


class Field(NamedTuple):
    """One field of a struct; `omitempty` leaves an empty one out of the JSON."""

    go_name: str
    name: str
    type: str
    omitempty: bool


class Struct:
    """A struct's name and fields, in Go's order; its text is read when it is first asked."""

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self._text = text

    @cached_property
    def fields(self) -> tuple[Field, ...]:
        """All of them."""
        return tuple(_field(line.split()) for line in self._text.splitlines() if line.strip())

    @cached_property
    def by_name(self) -> dict[str, Field]:
        """By their names in JSON."""
        return {field.name: field for field in self.fields}

    @cached_property
    def by_go_name(self) -> dict[str, Field]:
        """By Go's names; they come second: what JSON calls something else keeps its meaning."""
        return {field.go_name: field for field in self.fields}

    def find(self, name: str) -> Field | None:
        """The field of this JSON name, or Go name."""
        return self.by_name.get(name) or self.by_go_name.get(name)


def _field(words: list[str]) -> Field:
    go_name, _, name = words[0].partition(":")
    return Field(go_name, name or go_name, words[1], "omitempty" in words[2:])


class Object(dict[str, Any]):
    """A struct's value: its fields by JSON name in Go's order, then what is ours alone."""

    def __init__(self, struct: Struct) -> None:
        super().__init__()
        self.struct = struct


class NilList(list[Any]):
    """A slice that was never made: empty to a template, null in JSON."""


class NilMap(dict[str, Any]):
    """A map that was never made: empty to a template, null in JSON."""


Table = Mapping[str, Struct]


def table(**structs: str) -> dict[str, Struct]:
    """A table from the structs' texts; `container__State` is the struct container.State."""
    return {(name := key.replace("__", ".")): Struct(name, text) for key, text in structs.items()}


def build(types: Table, name: str, data: Mapping[str, Any]) -> Object:
    """The struct `name` with the values of `data`; what is missing, null or of another type is the zero value.

    Keys that the struct does not know are kept behind its fields: they are ours.
    """
    struct = types[name]
    made = Object(struct)
    for field in struct.fields:
        made[field.name] = _value(types, field.type, data.get(field.name))
    for key, value in data.items():
        if key not in made:
            made[key] = value
    return made


def _value(types: Table, kind: str, value: Any) -> Any:
    if kind.startswith("*"):
        return None if value is None else _value(types, kind[1:], value)
    if kind.startswith("[]"):
        if not isinstance(value, (list, tuple)):
            return NilList()
        return [_value(types, kind[2:], item) for item in value]
    if kind.startswith("map[string]"):
        if not isinstance(value, Mapping):
            return NilMap()
        return {str(key): _value(types, kind[11:], item) for key, item in value.items()}
    if kind in types:
        return build(types, kind, value if isinstance(value, Mapping) else {})
    return _scalar(kind, value)


def _scalar(kind: str, value: Any) -> Any:
    if kind == "any":
        return value
    if kind == "string":
        return value if isinstance(value, str) else ""
    if kind == "bool":
        return value is True
    if kind == "struct{}":
        return {}
    if kind == "[2]uint":
        return value if isinstance(value, list) and len(value) == 2 else [0, 0]
    if not kind.startswith(("int", "uint")):
        raise LookupError(f"no type {kind}")
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def plain(value: Any) -> Any:
    """What Go's encoder writes: structs without their empty `omitempty` fields, maps by key, null for nil."""
    kind = type(value)
    if kind is str or kind is int or kind is bool or value is None:
        return value
    if isinstance(value, Object):
        known = value.struct.by_name
        return {
            key: plain(item)
            for key, item in value.items()
            if not (key in known and known[key].omitempty and _is_empty(known[key], item))
        }
    if isinstance(value, (NilList, NilMap)):
        return None
    if isinstance(value, dict):
        return {str(key): plain(value[key]) for key in sorted(value, key=str)}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value


def _is_empty(field: Field, value: Any) -> bool:
    """Go's: nothing, or no pointer to anything."""
    if field.type.startswith("*"):
        return value is None
    return not isinstance(value, Object) and not value
