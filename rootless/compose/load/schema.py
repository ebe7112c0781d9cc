"""The compose specification's JSON schema, applied: the part of draft-07 that it uses, with compose's words for errors.

A library would compile it at every start (fastjsonschema: 300 ms) or bring four more (jsonschema); walking it costs 1 to 3 ms.
A value that is `oneOf` several kinds is judged by the one whose type it has, so that the error is about what was meant.
"""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

from rootless.yamltext.document import Path

Schema = dict[str, Any]

_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,), "array": (list,), "string": (str,), "boolean": (bool,), "integer": (int,), "number": (int, float),
    "null": (type(None),),
}  # fmt: skip
_SHOWN = {"object": "mapping", "array": "list"}


class Violation(NamedTuple):
    """What is wrong, and where; `known`: the names that would have been right."""

    path: Path
    message: str
    known: tuple[str, ...] = ()


class Validator:
    """Validates values against one schema: the forms of what is there (a file, of which another may say the rest), or
    whether something that is required is missing (all files together, canonical)."""

    def __init__(self, schema: Schema, *, missing: bool = False) -> None:
        self._root, self._missing = schema, missing

    def first(self, value: Any) -> Violation | None:
        """The first violation of the value, in its own order."""
        return self._check(value, self._root, ())

    def _resolved(self, schema: Schema) -> Schema:
        while "$ref" in schema:
            found: Any = self._root
            for part in schema["$ref"].removeprefix("#/").split("/"):
                found = found[part]
            schema = found
        return schema

    def _check(self, value: Any, schema: Schema, path: Path) -> Violation | None:
        schema = self._resolved(schema)
        if "oneOf" in schema:
            return self._one_of(value, schema["oneOf"], path)
        if self._missing:
            return self._inside(value, schema, path)
        if not _has_type(value, schema):
            return Violation(path, f"must be {_kinds([schema])}")
        if "enum" in schema and value not in schema["enum"]:
            return Violation(path, f"value must be one of {', '.join(repr(word) for word in schema['enum'])}")
        if "pattern" in schema and isinstance(value, str) and not re.search(schema["pattern"], value):
            return Violation(path, f"'{value}' does not match pattern '{schema['pattern']}'")
        if isinstance(value, int | float) and not isinstance(value, bool):
            if "minimum" in schema and value < schema["minimum"]:
                return Violation(path, f"must be greater than or equal to {schema['minimum']}")
            if "maximum" in schema and value > schema["maximum"]:
                return Violation(path, f"must be less than or equal to {schema['maximum']}")
        return self._inside(value, schema, path)

    def _inside(self, value: Any, schema: Schema, path: Path) -> Violation | None:
        if isinstance(value, list):
            return self._items(value, schema, path)
        return self._properties(value, schema, path) if isinstance(value, dict) else None

    def _one_of(self, value: Any, choices: list[Schema], path: Path) -> Violation | None:
        resolved = [self._resolved(choice) for choice in choices]
        resolved = [inner for choice in resolved for inner in map(self._resolved, choice.get("oneOf", [choice]))]
        fitting = [choice for choice in resolved if _has_type(value, choice)]
        if not fitting:
            return None if self._missing else Violation(path, f"must be {_kinds(resolved)}")
        found = [self._check(value, choice, path) for choice in fitting]
        return None if None in found else found[-1]

    def _items(self, value: list[Any], schema: Schema, path: Path) -> Violation | None:
        if schema.get("uniqueItems") and not self._missing:
            seen: dict[str, int] = {}
            for at, item in enumerate(value):
                first = seen.setdefault(json.dumps(item, sort_keys=True), at)
                if first != at:
                    return Violation(path, f"items at {first} and {at} are equal")
        if "items" in schema:
            for at, item in enumerate(value):
                if (found := self._check(item, schema["items"], (*path, at))) is not None:
                    return found
        return None

    def _properties(self, value: dict[str, Any], schema: Schema, path: Path) -> Violation | None:
        properties, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
        more = schema.get("additionalProperties", True)
        for key, item in value.items():
            if key in properties:
                inner = properties[key]
            elif matching := [one for pattern, one in patterns.items() if re.search(pattern, key)]:
                inner = matching[0]
            elif more is False and not self._missing:
                return Violation((*path, key), f"additional properties '{key}' not allowed", tuple(properties))
            else:
                inner = more if isinstance(more, dict) else {}
            if (found := self._check(item, inner, (*path, key))) is not None:
                return found
        missing = [key for key in schema.get("required", ()) if key not in value]
        if missing and self._missing:
            return Violation(path, f"missing property '{missing[0]}'")
        return None


def _types(schema: Schema) -> list[str]:
    kinds = schema.get("type", [])
    return [kinds] if isinstance(kinds, str) else list(kinds)


def _has_type(value: Any, schema: Schema) -> bool:
    kinds = _types(schema)
    if not kinds:
        return True
    if isinstance(value, bool):
        return "boolean" in kinds
    if isinstance(value, float) and value.is_integer() and "integer" in kinds:
        return True
    return any(isinstance(value, _TYPES[kind]) for kind in kinds)


def _kinds(schemas: list[Schema]) -> str:
    names = dict.fromkeys(_SHOWN.get(kind, kind) for schema in schemas for kind in _types(schema))
    words = [("an " if name[0] in "aeio" else "a ") + name if name != "null" else "null" for name in names]
    return " or ".join(words)
