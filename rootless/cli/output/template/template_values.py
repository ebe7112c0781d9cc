"""What Go templates compute with: fields of typed objects, truth, and how values are printed."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from rootless.engine.views.types.gotypes import NilList, NilMap, Object, plain


class TemplateFault(Exception):
    """A value does not fit; the template adds where."""


class NilPointer:
    """A pointer that points to nothing: false, printed <nil>, null in JSON, and without fields."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __bool__(self) -> bool:
        return False


class TemplateRow(dict[str, Any]):
    """A line of a listing: a field that it has not is an error, where a map's missing key is no value."""

    def __init__(self, fields: Mapping[str, Any]) -> None:
        super().__init__(sorted(fields.items()))


def field(value: Any, name: str, *, strict: bool) -> Any:
    """`.name` of a value, as Go evaluates it; `strict` has no patience with a map's missing keys."""
    if isinstance(value, Object):
        return _struct_field(value, name)
    if isinstance(value, dict):
        if name in value:
            return value[name]
        if isinstance(value, TemplateRow):
            raise TemplateFault(f"can't evaluate field {name} in type {type_name(value)}")
        if strict:
            raise TemplateFault(f'map has no entry for key "{name}"')
        return None
    if value is None:
        if strict:
            raise TemplateFault(f"nil pointer evaluating interface {{}}.{name}")
        return None
    if isinstance(value, NilPointer):
        raise TemplateFault(f"nil pointer evaluating {value.name}.{name}")
    raise TemplateFault(f"can't evaluate field {name} in type {type_name(value)}")


def _struct_field(value: Object, name: str) -> Any:
    known = value.struct.find(name)
    if known is None:
        if name in value:
            return value[name]
        raise TemplateFault(f"can't evaluate field {name} in type {type_name(value)}")
    found = value[known.name]
    return NilPointer(known.type) if found is None and known.type.startswith("*") else found


def known_fields(value: Any) -> str:
    """The names that a template may ask of this object, for a hint."""
    names = [key for key in value if key.isidentifier()] if isinstance(value, (Object, TemplateRow)) else []
    return ", ".join(names)


def type_name(value: Any) -> str:
    """Go's name of the value's type."""
    if isinstance(value, Object):
        return "*" + value.struct.name
    if isinstance(value, TemplateRow):
        return "*formatter.Row"
    if isinstance(value, NilPointer):
        return value.name
    names = {str: "string", bool: "bool", int: "int", float: "float64"}
    if isinstance(value, dict):
        return "map[string]" + _of_items(value.values())
    if isinstance(value, (list, tuple)):
        return "[]" + _of_items(value)
    return names.get(type(value), "interface {}")


def _of_items(items: Any) -> str:
    kinds = {type_name(item) for item in items}
    return kinds.pop() if len(kinds) == 1 else "interface {}"


def is_true(value: Any) -> bool:
    """Go's truth: not false, 0, nil or empty; a struct is always true."""
    return isinstance(value, Object) or bool(value)


def show(value: Any) -> str:
    """As an action prints it: `[a b]`, `map[k:v]`, `{v w}`, `true`, `<no value>`."""
    return "<no value>" if value is None else text_of(value)


def text_of(value: Any) -> str:
    """As Go's %v."""
    if isinstance(value, str):
        return value
    if value is None or isinstance(value, NilPointer):
        return "<nil>"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Object):
        return "{" + " ".join(text_of(value[known.name]) for known in value.struct.fields) + "}"
    if isinstance(value, dict):
        return "map[" + " ".join(f"{key}:{text_of(item)}" for key, item in sorted_items(value)) + "]"
    if isinstance(value, (list, tuple)):
        return "[" + " ".join(text_of(item) for item in value) + "]"
    if isinstance(value, float):
        return f"{int(value)}" if value.is_integer() and abs(value) < 1e21 else repr(value)
    return str(value)


def sorted_items(value: dict[Any, Any]) -> list[tuple[Any, Any]]:
    """Go prints and walks maps in the order of their keys."""
    return sorted(value.items(), key=lambda item: str(item[0]))


def to_json(value: Any) -> str:
    """One line, as Go's encoder without HTML escapes; functions are left out."""
    return json.dumps(_data(plain(value)), separators=(",", ":"), ensure_ascii=False)


def _data(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _data(item) for key, item in value.items() if not callable(item)}
    if isinstance(value, list):
        return [_data(item) for item in value]
    return None if isinstance(value, NilPointer) else value


def wanted_text(value: Any) -> str:
    """A function's argument that has to be a string."""
    if not isinstance(value, str):
        raise TemplateFault(f"wrong type for value; expected string; got {type_name(value)}")
    return value


def quoted(value: str) -> str:
    """Go's %q."""
    return json.dumps(value, ensure_ascii=False)


Function = Callable[..., Any]

__all__ = ["NilList", "NilMap", "NilPointer", "Object", "TemplateFault", "TemplateRow"]
