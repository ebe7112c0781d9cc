"""A value of a Kubernetes file, at its path. Each key is asked for by name, and what nobody has asked for is an error."""

from __future__ import annotations

from typing import Any

from rootless.errors import InvalidInput
from rootless.yamltext.document import Document, Path, Tree

_TEXT = "a text is wanted (in quotes, if it looks like something else)"


class Node:
    """A mapping of the file. A key that is `null` is as one that is not there, as in Kubernetes."""

    def __init__(self, tree: Tree, path: Path, document: Document) -> None:
        self._tree, self.path, self._document = tree, path, document
        self._asked: set[str] = set()

    def error(self, key: str, message: str, hint: str | None = None) -> InvalidInput:
        """The error for the value of `key`; "" is the mapping itself."""
        path = (*self.path, key) if key else self.path
        line = next((self._document.lines[path[:n]] for n in range(len(path), -1, -1) if path[:n] in self._document.lines), 1)
        where = spelt(path)
        return InvalidInput(f"{self._document.file}:{line}: {where + ': ' if where else ''}{message}", hint=hint)

    def close(self, *without_effect: str) -> None:
        """All that is known has been asked for: the first key besides is an error. `without_effect` may be there."""
        for key, value in self._tree.items():
            if key not in self._asked and key not in without_effect and value is not None:
                raise self.error(key, "is not supported", "docs/kube.md lists what is")

    def has(self, key: str) -> bool:
        """Whether the key has a value."""
        return self._tree.get(key) is not None

    def _get(self, key: str, kind: type, what: str) -> Any:
        self._asked.add(key)
        value = self._tree.get(key)
        if value is not None and (not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool)):
            raise self.error(key, f"{what} is wanted")
        return value

    def text(self, key: str, *words: str, required: bool = False) -> str:
        """A text, one of `words` where there are any; "" where there is none."""
        value = str(self._get(key, str, "a text (in quotes, if it looks like something else)") or "")
        if required and not value:
            raise self.error(key, "is required")
        if value and words and value not in words:
            raise self.error(key, f"there is no {value!r}", "one of " + ", ".join(words))
        return value

    def number(self, key: str, low: int, high: int) -> int | None:
        """A whole number within bounds; None where there is none."""
        value = self._get(key, int, "a whole number")
        if value is not None and not low <= value <= high:
            raise self.error(key, f"{value} is not between {low} and {high}")
        return None if value is None else int(value)

    def flag(self, key: str) -> bool | None:
        """true or false; None where neither is there."""
        value = self._get(key, bool, "true or false")
        return None if value is None else bool(value)

    def scalar(self, key: str) -> str:
        """A text or a number as text: a quantity, a port; "" where there is none."""
        self._asked.add(key)
        value = self._tree.get(key)
        if isinstance(value, bool) or not isinstance(value, (str, int, float, type(None))):
            raise self.error(key, "a number or a text is wanted")
        return "" if value is None else str(value)

    def node(self, key: str) -> Node | None:
        """A mapping; None where there is none."""
        value = self._get(key, dict, "a mapping")
        return None if value is None else Node(value, (*self.path, key), self._document)

    def nodes(self, key: str) -> list[Node]:
        """A list of mappings."""
        found = []
        for position, value in enumerate(self._get(key, list, "a list") or ()):
            path = (*self.path, key, position)
            if not isinstance(value, dict):
                raise Node({}, path, self._document).error("", "a mapping is wanted")
            found.append(Node(value, path, self._document))
        return found

    def texts(self, key: str) -> list[str]:
        """A list of texts."""
        values = self._get(key, list, "a list") or []
        for position, value in enumerate(values):
            if not isinstance(value, str):
                raise Node({}, (*self.path, key, position), self._document).error("", _TEXT)
        return list(values)

    def numbers(self, key: str) -> list[int]:
        """A list of ids."""
        values = self._get(key, list, "a list") or []
        if not all(isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 31 for value in values):
            raise self.error(key, "a list of ids is wanted")
        return list(values)

    def pairs(self, key: str) -> dict[str, str]:
        """A mapping of texts to texts."""
        value = self._get(key, dict, "a mapping") or {}
        for name, one in value.items():
            if not isinstance(one, str):
                raise Node(value, (*self.path, key), self._document).error(name, _TEXT)
        return dict(value)


def spelt(path: Path) -> str:
    """`spec.containers[0].name`."""
    words = ""
    for part in path:
        if isinstance(part, int):
            words += f"[{part}]"
        elif all(letter.isalnum() or letter in "_-" for letter in part):
            words += f".{part}" if words else part
        else:
            words += f'["{part}"]'
    return words
