"""The fields of a JSON body, each asked for by the type that it has to be of: what Go's decoder does for moby.

Names are found in any case, null is absent, what nobody asks for is ignored: as there. Whatever else is not of its
type is InvalidInput, which names the field.
"""

from __future__ import annotations

from typing import Any

from rootless.api.words import ApiWord
from rootless.errors import InvalidInput

_LIMIT = 1 << 63


class Fields:
    """An object of JSON. `path` is where it stands in the body, for errors."""

    def __init__(self, values: dict[str, Any], path: str = "") -> None:
        self._original = {key: value for key, value in values.items() if value is not None}
        self._values = {key.lower(): value for key, value in values.items() if value is not None}
        self._path = path

    @classmethod
    def of(cls, value: Any, path: str = "") -> Fields:
        """The fields of what has to be an object; none where it is null."""
        if value is None:
            return cls({}, path)
        if not isinstance(value, dict):
            raise _wrong(value, path or "the body", "an object")
        return cls(value, path)

    def __contains__(self, key: str) -> bool:
        return key.lower() in self._values

    def asks(self, key: str) -> bool:
        """Whether the field says more than nothing: not false, 0, "", [] or {}, whatever its type."""
        return bool(self._value(key))

    def _value(self, key: str) -> Any:
        return self._values.get(key.lower())

    def _at(self, key: str) -> str:
        return f"{self._path}.{key}" if self._path else key

    def text(self, key: str, default: str = "") -> ApiWord:
        """A text."""
        value = self._value(key)
        return ApiWord(default) if value is None else _text(value, self._at(key))

    def flag(self, key: str, default: bool = False) -> bool:
        """true or false."""
        value = self._value(key)
        if value is None:
            return default
        if not isinstance(value, bool):
            raise _wrong(value, self._at(key), "a boolean")
        return value

    def number(self, key: str, default: int = 0) -> int:
        """A whole number of 64 bits."""
        found = self.optional(key)
        return default if found is None else found

    def optional(self, key: str) -> int | None:
        """The same, None where it is absent."""
        value = self._value(key)
        return None if value is None else _number(value, self._at(key))

    def numbers(self, key: str) -> list[int]:
        """A list of whole numbers."""
        return [_number(value, self._at(key)) for value in self._list(key)]

    def texts(self, key: str) -> list[ApiWord]:
        """A list of texts."""
        return [_text(value, self._at(key)) for value in self._list(key)]

    def text_lists(self, key: str) -> list[list[ApiWord]]:
        """A list of lists of texts."""
        at = self._at(key)
        return [Fields({"list": value}, f"{at}[{number}]").texts("list") for number, value in enumerate(self._list(key))]

    def command(self, key: str) -> list[ApiWord] | None:
        """A command line: a list, or a text, which is then its only word (moby's StrSlice). None where it is absent."""
        value = self._value(key)
        if value is None:
            return None
        return [_text(value, self._at(key))] if isinstance(value, str) else self.texts(key)

    def pairs(self, key: str) -> dict[ApiWord, ApiWord]:
        """A map of texts to texts."""
        at = self._at(key)
        return {_text(name, at): _text(value, f"{at}.{name}") for name, value in self._map(key).items() if value is not None}

    def pairs_of_all(self) -> dict[ApiWord, ApiWord]:
        """All fields, each a text; those that are null are left out. For a map that is a document of its own: its keys
        are as they were written."""
        return {_text(name, self._path): _text(value, self._at(name)) for name, value in self._original.items()}

    def names(self, key: str) -> list[ApiWord]:
        """The keys of a map whose values say nothing: Go's map[string]struct{}."""
        return [_text(name, self._at(key)) for name in self._map(key)]

    def object(self, key: str) -> Fields:
        """An object; without fields where it is absent."""
        return Fields.of(self._value(key), self._at(key))

    def objects(self, key: str) -> list[Fields]:
        """A list of objects."""
        return [Fields.of(value, f"{self._at(key)}[{number}]") for number, value in enumerate(self._list(key))]

    def named(self, key: str) -> dict[ApiWord, Fields]:
        """A map of texts to objects."""
        at = self._at(key)
        return {_text(name, at): Fields.of(value, f"{at}.{name}") for name, value in self._map(key).items()}

    def lists(self, key: str) -> dict[ApiWord, list[Fields]]:
        """A map of texts to lists of objects; null is an empty list."""
        at = self._at(key)
        return {
            _text(name, at): Fields({"list": value}, f"{at}.{name}").objects("list") for name, value in self._map(key).items()
        }

    def _list(self, key: str) -> list[Any]:
        value = self._value(key)
        if value is None:
            return []
        if not isinstance(value, list):
            raise _wrong(value, self._at(key), "a list")
        return value

    def _map(self, key: str) -> dict[str, Any]:
        value = self._value(key)
        if value is None:
            return {}
        if not isinstance(value, dict):
            raise _wrong(value, self._at(key), "an object")
        return value


def _text(value: Any, at: str) -> ApiWord:
    if not isinstance(value, str):
        raise _wrong(value, at, "a string")
    if "\0" in value:
        raise InvalidInput(f"invalid JSON: {at} has a NUL character in it")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        raise InvalidInput(f"invalid JSON: {at} is no text: half of a surrogate pair") from None
    return ApiWord(value)


def _number(value: Any, at: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not -_LIMIT <= value < _LIMIT:
        raise _wrong(value, at, "a whole number of 64 bits")
    return value


_KINDS = {bool: "a boolean", int: "a number", float: "a number", str: "a string", list: "a list", dict: "an object"}


def _wrong(value: Any, at: str, wanted: str) -> InvalidInput:
    return InvalidInput(f"invalid JSON: {at} is {_KINDS.get(type(value), 'something else')}, and has to be {wanted}"[:500])
