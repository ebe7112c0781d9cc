"""The query of a request: moby's meaning of its words (httputils/form.go), and nothing raised but InvalidInput."""

from __future__ import annotations

from urllib.parse import unquote_to_bytes

from rootless.api.request.filters import Filters, parse
from rootless.api.words import ApiWord
from rootless.errors import InvalidInput

_FALSE = ("", "0", "no", "false", "none")
_MOST_WORDS = 1000


def decoded(text: str, what: str) -> ApiWord:
    """Percent-encoding undone. InvalidInput for what is no text."""
    try:
        word = unquote_to_bytes(text).decode("utf-8")
    except UnicodeDecodeError:
        raise InvalidInput(f"{what} is not UTF-8") from None
    if "\0" in word:
        raise InvalidInput(f"{what} has a NUL character in it")
    return ApiWord(word)


class Query:
    """The words behind the question mark; of one that is there several times all, and by itself the first."""

    def __init__(self, text: str) -> None:
        self._words: dict[str, list[ApiWord]] = {}
        parts = text.split("&", _MOST_WORDS)
        if len(parts) > _MOST_WORDS:
            raise InvalidInput("the query has too many words")
        for part in filter(None, parts):
            key, _, value = part.replace("+", " ").partition("=")
            self._words.setdefault(decoded(key, "the query"), []).append(decoded(value, f"{key[:40]} in the query"))

    def __contains__(self, key: str) -> bool:
        return key in self._words

    def word(self, key: str, default: str = "") -> ApiWord:
        """The first of this name."""
        return self._words.get(key, [ApiWord(default)])[0]

    def words(self, key: str) -> list[ApiWord]:
        """All of this name that are not empty."""
        return [word for word in self._words.get(key, ()) if word]

    def flag(self, key: str, default: bool = False) -> bool:
        """moby's BoolValue: false is "", 0, no, false and none, in any case; everything else is true."""
        return self.word(key).strip().lower() not in _FALSE if key in self._words else default

    def number(self, key: str, default: int = 0) -> int:
        """A whole number of 64 bits; InvalidInput."""
        word = self.word(key).strip()
        if not word:
            return default
        digits = word[1:] if word[:1] in ("-", "+") else word
        if not (digits.isascii() and digits.isdecimal() and len(digits) < 20) or abs(int(word)) >= 1 << 63:
            raise InvalidInput(f'invalid value for {key}: strconv.ParseInt: parsing "{word[:40]}": invalid syntax')
        return int(word)

    def optional(self, key: str) -> int | None:
        """The number, or None where it is not said."""
        return self.number(key) if self.word(key) else None

    def filters(self, known: tuple[str, ...]) -> Filters:
        """The filters, in either of their shapes. InvalidInput for one that is not `known`."""
        return parse(self.word("filters"), known)
