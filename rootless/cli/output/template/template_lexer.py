"""A Go template cut into tokens: text, and what stands between `{{` and `}}`."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from rootless.errors import InvalidInput


class Token(NamedTuple):
    """kind: text, open, close, field, dot, variable, word, constant, or the sign itself.

    `at` is where it stands in the source; `joined` says that no space stands before it.
    """

    kind: str
    text: str
    value: Any
    at: int
    joined: bool


class WrongTemplate(InvalidInput):
    """What is no template: found before anything is executed."""


def wrong(source: str, at: int, reason: str) -> WrongTemplate:
    """Go's words for a fault of the text itself: only the line is named."""
    return WrongTemplate(f"template parsing error: template: :{line_of(source, at)}: {reason}")


def line_of(source: str, at: int) -> int:
    """The line that this place is in, the first being 1."""
    return source.count("\n", 0, at) + 1


def column_of(source: str, at: int) -> int:
    """The column as Go counts it: bytes before it in its line."""
    return len(source[source.rfind("\n", 0, at) + 1 : at].encode("utf-8", "surrogateescape"))


_LEXEMES = re.compile(
    r"""(?P<space>\s+)
      | (?P<close>-?\}\})
      | (?P<string>"(?:[^"\\\n]|\\.)*")
      | (?P<raw>`[^`]*`)
      | (?P<char>'(?:[^'\\\n]|\\.)+')
      | (?P<number>[+-]?(?:0[xX][0-9a-fA-F]+|\d+\.?\d*(?:[eE][+-]?\d+)?))
      | (?P<field>\.[^\W\d]\w*)
      | (?P<dot>\.)
      | (?P<variable>\$\w*)
      | (?P<sign>:=|[|(),=])
      | (?P<word>[^\W\d]\w*)""",
    re.VERBOSE,
)
_WORDS = {"true": True, "false": False, "nil": None}
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}


def lex(source: str) -> list[Token]:
    """All tokens of `source`; InvalidInput with the position of what is none."""
    tokens: list[Token] = []
    at, trim = 0, False
    while True:
        opening = source.find("{{", at)
        text = source[at : len(source) if opening < 0 else opening]
        if trim:
            text = text.lstrip()
        left_trim = (
            opening >= 0
            and source[opening + 2 : opening + 3] == "-"
            and source[opening + 3 : opening + 4].isspace()
        )
        if left_trim:
            text = text.rstrip()
        if text:
            tokens.append(_token(source, at, "text", text))
        if opening < 0:
            return tokens
        at, trim = _action(source, opening, opening + (3 if left_trim else 2), tokens)


def _action(source: str, opening: int, at: int, tokens: list[Token]) -> tuple[int, bool]:
    """Tokens of one action from `at`; where it ends, and whether the text after it is trimmed."""
    comment = re.compile(r"\s*/\*.*?\*/\s*(-?)\}\}", re.DOTALL).match(source, at)
    if comment:
        return comment.end(), bool(comment[1])
    tokens.append(_token(source, opening, "open", "{{"))
    joined = False
    while True:
        found = _LEXEMES.match(source, at)
        if found is None:
            raise wrong(source, at, _unknown(source[at : at + 1]))
        kind, text = str(found.lastgroup), found.group()
        if kind == "close":
            tokens.append(_token(source, at, "close", text))
            return found.end(), text[0] == "-"
        if kind != "space":
            tokens.append(_lexeme(source, at, kind, text)._replace(joined=joined))
        joined = kind != "space"
        at = found.end()


def _lexeme(source: str, at: int, kind: str, text: str) -> Token:
    if kind == "sign":
        return _token(source, at, text, text)
    if kind == "field":
        return _token(source, at, "field", text[1:])
    if kind == "word" and text in _WORDS:
        return _token(source, at, "constant", text, _WORDS[text])
    if kind == "string":
        return _token(source, at, "constant", text, unescape(text[1:-1]))
    if kind == "raw":
        return _token(source, at, "constant", text, text[1:-1])
    if kind == "char":
        return _token(source, at, "constant", text, ord(unescape(text[1:-1])[:1]))
    if kind == "number":
        broken = any(letter in text for letter in ".eE") and "x" not in text.lower()
        try:
            return _token(source, at, "constant", text, float(text) if broken else int(text, 0))
        except ValueError:
            raise wrong(source, at, f'bad number syntax: "{text[:40]}"') from None
    return _token(source, at, kind, text)


def unescape(text: str) -> str:
    """Go's escapes in a quoted string: \\n, \\t, \\", \\xNN, \\uNNNN."""

    def one(found: re.Match[str]) -> str:
        code = found[1]
        if code[0] in "xuU" and len(code) > 1:
            letter = chr(int(code[1:], 16))
            return "\ufffd" if "\ud800" <= letter <= "\udfff" else letter
        return _ESCAPES.get(code, code)

    return re.sub(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U000[0-9a-fA-F]{5}|.)", one, text)


def _unknown(letter: str) -> str:
    if not letter:
        return "unclosed action"
    if letter in "\"`'":
        kind = {"`": "raw quoted string", "'": "character constant"}.get(letter, "quoted string")
        return f"unterminated {kind}"
    return f"unrecognized character in action: U+{ord(letter):04X} '{letter}'"


def _token(source: str, at: int, kind: str, text: str, value: Any = None) -> Token:
    return Token(kind, text, value, at, False)
