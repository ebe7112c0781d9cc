"""Variables, quotes and escapes of a word, as the reference page has them (POSIX, and bash's patterns).

Nothing is executed. Depth and size are bounded, for `ENV a=$a$a` forty times is a terabyte.
"""

from __future__ import annotations

from collections.abc import Mapping

from rootless.build.dockerfile.error import DockerfileError
from rootless.build.dockerfile.patterns import LONGEST, Pattern
from rootless.record import Record

_DEEPEST = 64
_SPECIAL = "@*#?-$!0"


class Expansion(Record):
    """A word expanded: its text, the names it used that had a value, and those that had none and no default."""

    text: str
    words: tuple[str, ...]  # of the text, split at blanks that were neither quoted nor escaped
    used: frozenset[str]
    unset: frozenset[str]


def expand(
    word: str,
    variables: Mapping[str, str],
    *,
    escape: str = "\\",
    keep_quotes: bool = False,
    keep_unset: bool = False,
    quotes: bool = True,
) -> Expansion:
    """Expand `word`.

    keep_quotes leaves quotes where they are, keep_unset the variables that have no value (both for what is only
    shown); without `quotes` they are characters like others, as in a heredoc. Raises DockerfileError.
    """
    run = _Run(word, variables, escape, keep_quotes, keep_unset, quotes)
    try:
        parts = run.until("", raw=False)
    except DockerfileError as error:
        raise DockerfileError(f'failed to process "{_shortened(word)}": {error.message}') from None
    text = "".join(text for text, _ in parts)
    return Expansion(text, tuple(_words(parts)), frozenset(run.used), frozenset(run.unset))


def _shortened(word: str) -> str:
    return word if len(word) <= 200 else word[:200] + "..."


def _words(parts: list[tuple[str, bool]]) -> list[str]:
    words: list[str] = []
    word: list[str] = []
    for text, whole in parts:
        if whole:
            word.append(text)
            continue
        for character in text:
            if not character.isspace():
                word.append(character)
            elif word:
                words.append("".join(word))
                word = []
    words.append("".join(word))
    return [word for word in words if word]


class _Run:
    """One pass over a word; `at` is where it stands."""

    def __init__(
        self,
        text: str,
        variables: Mapping[str, str],
        escape: str,
        keep_quotes: bool,
        keep_unset: bool,
        quotes: bool,
    ) -> None:
        self.text, self.at, self.end = text, 0, len(text)
        self.variables, self.escape = variables, escape
        self.keep_quotes, self.keep_unset, self.quotes = keep_quotes, keep_unset, quotes
        self.used: set[str] = set()
        self.unset: set[str] = set()
        self.depth = self.size = 0

    def next(self) -> str:
        character = self.text[self.at : self.at + 1]
        self.at += 1
        return character

    def until(self, stop: str, *, raw: bool) -> list[tuple[str, bool]]:
        """Up to `stop` ("" is the end): pieces, and whether blanks in them belong to the word. `raw` keeps escapes."""
        parts: list[tuple[str, bool]] = []
        special = {"$", self.escape, stop, *(("'", '"') if self.quotes else ())}
        text, end = self.text, self.end
        while self.at < end:
            start = self.at
            while self.at < end and text[self.at] not in special:
                self.at += 1
            if self.at > start:
                parts.append((text[start : self.at], False))
                continue
            character = text[start]
            if character == stop:
                self.at += 1
                return parts
            if character == "$":
                parts.append((self.dollar(), False))
            elif character == "'":
                parts.append((self.single_quoted(), True))
            elif character == '"':
                parts.append((self.double_quoted(raw=raw), True))
            else:
                self.at += 1
                parts.append((character * raw + self.next(), True))
        if stop:
            raise DockerfileError(f"unexpected end of statement while looking for matching {stop}")
        return parts

    def single_quoted(self) -> str:
        close = self.text.find("'", self.at + 1)
        if close < 0:
            raise DockerfileError("unexpected end of statement while looking for matching single-quote")
        start, self.at = self.at, close + 1
        return self.text[start : close + 1] if self.keep_quotes else self.text[start + 1 : close]

    def double_quoted(self, *, raw: bool) -> str:
        self.at += 1
        parts = ['"'] if self.keep_quotes else []
        while self.at < self.end:
            character = self.text[self.at]
            if character == '"':
                self.at += 1
                return "".join([*parts, '"'] if self.keep_quotes else parts)
            if character == "$":
                parts.append(self.dollar())
                continue
            self.at += 1
            if character == self.escape:
                if raw:
                    parts.append(character)
                following = self.text[self.at : self.at + 1]
                if not following:
                    continue
                # Within double quotes only these are escaped; before others the escape is a character.
                if following in ('"', "$", self.escape):
                    character = self.next()
                elif raw:
                    continue
            parts.append(character)
        raise DockerfileError("unexpected end of statement while looking for matching double-quote")

    def dollar(self) -> str:
        self.at += 1
        if self.text[self.at : self.at + 1] == "{":
            self.depth += 1
            if self.depth > _DEEPEST:
                raise DockerfileError("variables are nested too deeply")
            text = self.braced()
            self.depth -= 1
        elif name := self.name():
            value = self.value(name)
            text = f"${name}" if value is None and self.keep_unset else value or ""
        else:
            text = "$"
        self.size += len(text)
        if self.size > LONGEST:
            raise DockerfileError(f"the result is longer than {LONGEST} characters")
        return text

    def name(self) -> str:
        """Letters, digits and underscores; only digits where a digit is first; or one of the shell's parameters."""
        start = self.at
        first = self.text[start : start + 1]
        if not first.isdecimal() and first and first in _SPECIAL:
            return self.next()
        while self.at < self.end:
            character = self.text[self.at]
            if not (
                character.isdecimal() or (not first.isdecimal() and (character.isalpha() or character == "_"))
            ):
                break
            self.at += 1
        return self.text[start : self.at]

    def value(self, name: str, *, has_default: bool = False) -> str | None:
        value = self.variables.get(name)
        if value is not None:
            self.used.add(name)
        elif not has_default:
            self.unset.add(name)
        return value

    def braced(self) -> str:
        self.at += 1
        following = self.text[self.at : self.at + 1]
        if not following:
            raise DockerfileError("syntax error: missing '}'")
        if following in "{}:":
            raise DockerfileError("syntax error: bad substitution")
        name = self.name()
        modifier = self.next()
        if not modifier:
            raise DockerfileError("syntax error: missing '}'")
        if modifier == "}":
            value = self.value(name)
            return f"${{{name}}}" if value is None and self.keep_unset else value or ""
        if modifier == "/":
            return self.replaced(name)
        if modifier == ":":
            modifier += self.next()
        if modifier not in ("-", "+", "?", "#", "%", ":-", ":+", ":?"):
            raise DockerfileError(f"unsupported modifier ({modifier}) in substitution")
        word = self.argument("}", raw=modifier in "#%")
        value = self.value(name, has_default=modifier[-1] in "-+?")
        if value is None and self.keep_unset:
            return f"${{{name}{modifier}{word}}}"
        return _modified(name, modifier, word, value)

    def argument(self, stop: str, *, raw: bool) -> str:
        try:
            return "".join(text for text, _ in self.until(stop, raw=raw))
        except DockerfileError:
            if self.at < self.end:
                raise
            raise DockerfileError(
                "syntax error: missing '/' in ${}" if stop == "/" else "syntax error: missing '}'"
            ) from None

    def replaced(self, name: str) -> str:
        every = self.text[self.at : self.at + 1] == "/"
        self.at += every
        pattern = self.argument("/", raw=True)
        replacement = self.argument("}", raw=False)
        value = self.value(name)
        if value is None and self.keep_unset:
            return f"${{{name}/{'/' * every}{pattern}/{replacement}}}"
        return Pattern(pattern).replace(value or "", replacement, every=every)


def _modified(name: str, modifier: str, word: str, value: str | None) -> str:
    kind, empty_is_unset = modifier[-1], modifier[0] == ":"
    missing = value is None or (empty_is_unset and not value)
    if kind == "-":
        return word if missing else value or ""
    if kind == "+":
        return "" if missing else word
    if kind == "?":
        why = "unset" if value is None else "empty"
        if missing:
            raise DockerfileError(f"{name}: {word or f'is not allowed to be {why}'}")
        return value or ""
    longest = word.startswith(kind)
    pattern = Pattern(word[longest:])
    strip = pattern.strip_prefix if kind == "#" else pattern.strip_suffix
    return strip(value or "", longest=longest)
