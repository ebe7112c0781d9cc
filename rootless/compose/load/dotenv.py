"""Files of variables, `.env` and `env_file`, as compose-go reads them.

`export `, `NAME=value` or `NAME: value`; a bare NAME is the environment's. Quotes go over lines; in double quotes \\n and
its like are escapes and variables are replaced, in single quotes nothing is. Without quotes ` #` begins a comment.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from rootless.compose.load.template import InvalidTemplate, substitute
from rootless.errors import InvalidInput

_KEY = re.compile(r"(?:export[ \t\v\f\r\x85\xa0]+)?([^=:\n]*)([=:\n]|\Z)")
_ALLOWED = re.compile(r"[\w.\-\[\]]*")
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "a": "\a", "b": "\b", "f": "\f", "v": "\v", "$": "$$"}
_BLANK = " \t\v\f\r\x85\xa0"


def parse(text: str, file: str, environment: Mapping[str, str]) -> dict[str, str]:
    """The variables of the file; what `environment` has of them wins where the file's own values refer to it.
    InvalidInput with file and line."""
    return _Parser(text.removeprefix("\ufeff").replace("\r\n", "\n"), file, environment).parse()


def parse_raw(text: str, file: str, environment: Mapping[str, str]) -> dict[str, str]:
    """`format: raw`: one variable a line, nothing quoted or replaced, as `docker run --env-file`."""
    found = {}
    for number, line in enumerate(text.removeprefix("\ufeff").splitlines(), 1):
        line = line.lstrip()
        if not line or line.startswith("#"):
            continue
        name, equals, value = line.partition("=")
        if not name or any(letter.isspace() for letter in name):
            raise InvalidInput(f"{file}:{number}: failed to parse env_file: variable '{name}' contains whitespaces")
        if equals:
            found[name] = value
        elif name in environment:
            found[name] = environment[name]
    return found


class _Parser:
    def __init__(self, text: str, file: str, environment: Mapping[str, str]) -> None:
        self._text, self._file, self._environment = text, file, environment
        self._at = 0
        self._found: dict[str, str] = {}

    def _error(self, message: str, at: int | None = None) -> InvalidInput:
        line = self._text.count("\n", 0, self._at if at is None else at) + 1
        return InvalidInput(f"{self._file}:{line}: {message}")

    def parse(self) -> dict[str, str]:
        text = self._text
        while True:
            while self._at < len(text) and text[self._at].isspace():
                self._at += 1
            if self._at >= len(text):
                return self._found
            if text[self._at] == "#":
                self._at = (text.find("\n", self._at) + 1) or len(text)
                continue
            self._statement()

    def _statement(self) -> None:
        match = _KEY.match(self._text, self._at)
        assert match is not None
        key = match[1].rstrip()
        wrong = _ALLOWED.sub("", key, count=1)
        if not key or any(letter.isspace() for letter in key):
            raise self._error("key cannot contain a space" if key else "a value without a name")
        if wrong:
            raise self._error(f'unexpected character "{wrong[0]}" in variable name "{key}"')
        self._at = match.end()
        if match[2] in ("", "\n"):
            if key in self._environment:
                self._found[key] = self._environment[key]
            return
        self._found[key] = self._value()

    def _value(self) -> str:
        text = self._text
        while self._at < len(text) and text[self._at] in _BLANK:
            self._at += 1
        quote = text[self._at : self._at + 1]
        if quote in ("'", '"') and quote:
            return self._quoted(quote)
        end = text.find("\n", self._at)
        end = len(text) if end < 0 else end
        line = text[self._at : end]
        self._at = end
        comment = re.search(r"(?:^|\s)#", line)
        if comment:
            line = line[: comment.start()]
        return self._expand(line.rstrip())

    def _quoted(self, quote: str) -> str:
        text, start = self._text, self._at
        at = start + 1
        while at < len(text) and text[at] != quote:
            at += 2 if text[at] == "\\" and quote == '"' else 1
        if at >= len(text):
            line = text[start : (text.find("\n", start) + 1) or len(text)].rstrip("\n")
            raise self._error(f"unterminated quoted value {line}", start)
        value = text[start + 1 : at]
        self._at = at + 1
        if quote == "'":
            return value
        return self._expand(_ESCAPE.sub(lambda match: _ESCAPES.get(match[1], match[1]), value))

    def _expand(self, value: str) -> str:
        known = {**self._found, **self._environment}
        try:
            return substitute(value.replace("\\$", "$$"), known, lambda name: None)
        except InvalidTemplate as error:
            raise self._error(f"invalid template: {error}") from None
