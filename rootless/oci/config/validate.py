"""A table of rules for a JSON document, and the walk that checks one against it. Pure.

Rules are closures, so that a configuration with a long seccomp profile costs a millisecond; the
path of what is wrong is put together only when something is. Hot path.
"""

from __future__ import annotations

from rootless.errors import InvalidInput
from rootless.record import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Rule = Callable[[Any], None]


class Broken(Exception):
    """A broken rule; `path` grows from the leaf up while it travels."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message
        self.path: list[str] = []


def check(document: Any, rule: Rule, *, name: str) -> None:
    """Raise InvalidInput naming the JSON path ("linux.namespaces[2].type") of the first broken rule."""
    try:
        rule(document)
    except Broken as broken:
        path = "".join(reversed(broken.path)).lstrip(".") or "the document"
        raise InvalidInput(f"{name}: {path}: {broken.message}") from None


def string(value: Any) -> None:
    if type(value) is not str:
        raise Broken(f"must be a string, not {_kind(value)}")
    if "\0" in value:
        raise Broken("must not contain a null byte")


def boolean(value: Any) -> None:
    if value is not True and value is not False:
        raise Broken(f"must be true or false, not {_kind(value)}")


def anything(value: Any) -> None:
    pass


def words(*allowed: str) -> Rule:
    """One of a few strings."""
    found = frozenset(allowed)

    def rule(value: Any) -> None:
        string(value)
        if value not in found:
            raise Broken(f"{value!r} is not one of {', '.join(allowed)}")

    return rule


def pattern(test: Callable[[str], bool], words: str) -> Rule:
    """A string for which `test` holds; `words` completes "must be"."""

    def rule(value: Any) -> None:
        string(value)
        if not test(value):
            raise Broken(f"must be {words}, not {value!r}")

    return rule


def integer(low: int, high: int) -> Rule:
    def rule(value: Any) -> None:
        # Go and C writers may say 1e3 or 3.0, which JSON Schema counts as integers.
        if type(value) is not int and not (type(value) is float and value.is_integer()):
            raise Broken(f"must be an integer, not {_kind(value)}")
        if not low <= value <= high:
            raise Broken(f"must be between {low} and {high}, not {value}")

    return rule


def array(item: Rule, *, least: int = 0) -> Rule:
    def rule(value: Any) -> None:
        if type(value) is not list:
            raise Broken(f"must be an array, not {_kind(value)}")
        if len(value) < least:
            raise Broken(f"must have at least {least} element")
        index = 0
        try:
            for element in value:
                item(element)
                index += 1
        except Broken as broken:
            broken.path.append(f"[{index}]")
            raise

    return rule


def mapping(item: Rule) -> Rule:
    """An object with any names, all of whose values obey `item`."""

    def rule(value: Any) -> None:
        if type(value) is not dict:
            raise Broken(f"must be an object, not {_kind(value)}")
        for name, element in value.items():
            try:
                item(element)
            except Broken as broken:
                broken.path.append(f".{name}")
                raise

    return rule


def record(fields: dict[str, Rule], *, required: tuple[str, ...] = ()) -> Rule:
    """An object; unknown names are let through (config.md, Extensibility), null means absent."""

    def rule(value: Any) -> None:
        if type(value) is not dict:
            raise Broken(f"must be an object, not {_kind(value)}")
        for name in required:
            if value.get(name) is None:
                broken = Broken("is required")
                broken.path.append(f".{name}")
                raise broken
        for name, element in value.items():
            item = fields.get(name)
            if item is not None and element is not None:
                try:
                    item(element)
                except Broken as broken:
                    broken.path.append(f".{name}")
                    raise

    return rule


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    names = {bool: "a boolean", int: "a number", float: "a number", str: "a string", list: "an array"}
    return names.get(type(value), "an object")
