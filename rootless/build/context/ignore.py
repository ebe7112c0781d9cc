"""Which paths a .dockerignore leaves out; --exclude and --parents have the same language.

Pure. The documented rules, where they are documented, else what moby/patternmatcher does: lines are
cleaned as paths, the last line that matches a path or a directory above it decides, `!` takes back.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable
from typing import NamedTuple

from rootless.build.context import glob
from rootless.build.context.glob import CharacterClass, Directories, Everything, Literal, Token
from rootless.errors import InvalidInput

UNDECIDED = -1


def read_lines(data: bytes) -> list[str]:
    """The patterns of an ignore file; a `#` only begins a comment as the first character of its line."""
    found = []
    for line in data.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogateescape").split("\n"):
        if line.startswith("#"):
            continue
        taken_back = "!" if line.strip().startswith("!") else ""
        pattern = line.strip().removeprefix("!").strip()
        if not pattern and taken_back:
            raise InvalidInput('illegal exclusion pattern: "!"', hint="write a pattern behind the !")
        if pattern:
            pattern = _clean(pattern)
            if len(pattern) > 1:
                pattern = pattern.removeprefix("/")
            found.append(taken_back + pattern)
    return found


def _clean(path: str) -> str:
    """Go's path.Clean."""
    cleaned = posixpath.normpath(path)
    return cleaned[1:] if cleaned.startswith("//") else cleaned


class _Pattern(NamedTuple):
    """One line. `components` are its tokens up to the first `**`, without the slashes."""

    text: str
    tokens: list[Token]
    components: list[list[Token]]
    open_ended: bool

    @property
    def is_plain(self) -> bool:
        return all(isinstance(token, Literal) for token in self.tokens)

    def may_match_below(self, directory: list[str]) -> bool:
        """Whether a path below the directory (its components) can match by more than the directory itself."""
        if len(self.components) <= len(directory) and not self.open_ended:
            return False
        return all(
            _matches(tokens, name) for tokens, name in zip(self.components, directory, strict=False)
        )


def _matches(tokens: list[Token], name: str) -> bool:
    return glob.matches_by_tokens(tokens, name)


def _read(text: str) -> _Pattern:
    tokens = glob.tokens(text, double_star=True)
    components: list[list[Token]] = [[]]
    open_ended = False
    for token in tokens:
        if isinstance(token, (Directories, Everything)) or (
            # A class may take the slash, and then there is no telling components apart.
            isinstance(token, CharacterClass) and glob.takes(token, "/")
        ):
            components.pop()
            open_ended = True
            break
        if token == Literal("/"):
            components.append([])
        else:
            components[-1].append(token)
    return _Pattern(text, tokens, components, open_ended)


class _Group:
    """Lines that follow each other and say the same: as one expression they cost one match."""

    def __init__(self, *, excludes: bool) -> None:
        self.excludes = excludes
        self.patterns: list[_Pattern] = []
        self._plain: set[str] = set()
        self._slow: list[list[Token]] = []
        self._expression: re.Pattern[str] | None = None

    def add(self, pattern: _Pattern) -> None:
        self.patterns.append(pattern)

    def compile(self) -> None:
        expressions = []
        for pattern in self.patterns:
            if pattern.is_plain:
                self._plain.add(glob.unescape(pattern.text))
            elif glob.backtracks(pattern.tokens):
                self._slow.append(pattern.tokens)
            else:
                expressions.append(f"(?:{glob.expression(pattern.tokens)})")
        if expressions:
            self._expression = re.compile("|".join(expressions), re.DOTALL)

    def matches(self, path: str) -> bool:
        if path in self._plain or (self._expression is not None and self._expression.fullmatch(path)):
            return True
        return any(glob.matches_by_tokens(tokens, path) for tokens in self._slow)


class PathPatterns:
    """An ordered list of patterns over the paths of a tree, which are relative, without `.` and `..`.

    Going through a tree, `decide` with what it said of the directory above is one match or none a path:
    a decision is the number of the group of lines that is the last to match, UNDECIDED where none does.
    """

    def __init__(self, patterns: Iterable[str]) -> None:
        """InvalidInput for a pattern that is none."""
        self._groups: list[_Group] = []
        for line in patterns:
            text = line.strip()
            excludes = not text.startswith("!")
            text = text if excludes else text[1:].strip()
            if not text and not excludes:
                raise InvalidInput('illegal exclusion pattern: "!"', hint="write a pattern behind the !")
            text = _clean(text)
            if text in (".", "/"):
                continue  # for historical reasons this is nothing, and not everything
            if not self._groups or self._groups[-1].excludes != excludes:
                self._groups.append(_Group(excludes=excludes))
            self._groups[-1].add(_read(text))
        for group in self._groups:
            group.compile()

    def __bool__(self) -> bool:
        return bool(self._groups)

    def decide(self, path: str, above: int = UNDECIDED) -> int:
        """The decision about `path`, given that about its directory (UNDECIDED for the top's)."""
        for number in range(len(self._groups) - 1, above, -1):
            if self._groups[number].matches(path):
                return number
        return above

    def excluded(self, decision: int) -> bool:
        """Whether this decision leaves the path out."""
        return decision >= 0 and self._groups[decision].excludes

    def ignores(self, path: str) -> bool:
        """Whether the path is left out, by itself or with a directory above it."""
        return self.excluded(self.decide_path(path))

    def decide_path(self, path: str) -> int:
        """`decide` for the path and each directory above it."""
        decision, end = UNDECIDED, path.find("/")
        while end >= 0:
            decision = self.decide(path[:end], decision)
            end = path.find("/", end + 1)
        return self.decide(path, decision)

    def can_skip_directory(self, path: str, decision: int) -> bool:
        """Whether nothing below this directory, which is left out, can be taken back by a later line."""
        return not self._may_match_below(path, decision, excludes=False)

    def can_match_below(self, path: str) -> bool:
        """Whether a pattern without `!` may match below this directory."""
        return self._may_match_below(path, UNDECIDED, excludes=True)

    def _may_match_below(self, path: str, decision: int, *, excludes: bool) -> bool:
        directory = path.split("/")
        return any(
            pattern.may_match_below(directory)
            for group in self._groups[decision + 1 :]
            if group.excludes == excludes
            for pattern in group.patterns
        )


def excluding(patterns: Iterable[str]) -> PathPatterns:
    """The patterns of --exclude, which may begin with a slash as a source may."""
    return PathPatterns(_without_slash(pattern) for pattern in patterns)


def _without_slash(pattern: str) -> str:
    taken_back = pattern.startswith("!")
    return ("!" if taken_back else "") + pattern[taken_back:].lstrip("/")


NOTHING = PathPatterns(())
