"""Lines into instructions' texts: comments and blank lines out, continuations joined, heredocs beside them."""

from __future__ import annotations

from rootless.build.dockerfile import directives, heredocs
from rootless.build.dockerfile.error import DockerfileError
from rootless.build.dockerfile.instructions import Directives, Heredoc
from rootless.build.dockerfile.words import json_words, split_instruction, split_once
from rootless.record import Record

LONGEST_LINE = 65_535
"""Bytes, as BuildKit has it."""
LONGEST_FILE = 8 << 20
_WITH_HEREDOCS = ("run", "copy", "add")


class Statement(Record):
    """An instruction's text, its lines joined, and where it stands."""

    text: str
    first: int
    last: int
    comment: tuple[str, ...] = ()
    heredocs: tuple[Heredoc, ...] = ()
    empty_continuation: bool = False


class Lexed(Record):
    """A file's lines, as excerpts show them, what its head says, and its instructions."""

    lines: tuple[str, ...]
    directives: Directives
    statements: tuple[Statement, ...]


def decode(data: bytes | str) -> str:
    """The text of a Dockerfile; bytes that are no UTF-8 stay what they are (surrogateescape), for names of files may be."""
    if len(data) > LONGEST_FILE:
        raise DockerfileError(f"Dockerfile exceeds maximum allowed size of {LONGEST_FILE} bytes")
    text = data.decode("utf-8", "surrogateescape") if isinstance(data, bytes) else data
    return text.removeprefix("\ufeff")


def lines_of(text: str) -> tuple[str, ...]:
    """The lines as an excerpt shows them; only a newline ends one."""
    return tuple(line.removesuffix("\r") for line in text.removesuffix("\n").split("\n"))


def lex(text: str, lines: tuple[str, ...]) -> Lexed:
    """Take `text` apart, of which `lines` are the lines. Raises DockerfileError with the lines to blame."""
    found, head = directives.parse(lines)
    return Lexed(lines, found, tuple(_Reader(text, found.escape, head).statements()))


class _Reader:
    """Goes through the lines once; `at` is the number of those taken."""

    def __init__(self, text: str, escape: str, head: int) -> None:
        self.lines = text.splitlines(keepends=True) if _only_newlines(text) else _keep_newlines(text)
        self.escape = escape
        self.head = head
        self.at = 0

    def take(self) -> str | None:
        if self.at == len(self.lines):
            return None
        line = self.lines[self.at]
        self.at += 1
        if len(line) * 4 > LONGEST_LINE and len(line.encode("utf-8", "surrogatepass")) > LONGEST_LINE:
            raise DockerfileError(
                f"dockerfile line greater than max allowed size of {LONGEST_LINE}", first=self.at
            )
        return line

    def statements(self) -> list[Statement]:
        found: list[Statement] = []
        comment: list[str] = []
        while (line := self.take()) is not None:
            text = line.rstrip("\r\n").lstrip()
            if text.startswith("#"):
                words = text[1:].strip()
                # An empty comment ends a description as an empty line does; a directive is no comment.
                if words and self.at > self.head:
                    comment.append(words)
                else:
                    comment = []
                continue
            text, goes_on = self.continued(text)
            if not text and not goes_on:
                comment = []
                continue
            statement = self.statement(text, goes_on, tuple(comment))
            if statement.text:
                found.append(statement)
            comment = []
        return found

    def continued(self, text: str) -> tuple[str, bool]:
        """The text without an escape at its end, and whether it had one; a doubled one is no continuation."""
        trimmed = text.rstrip(" \t")
        if trimmed.endswith(self.escape) and not trimmed.endswith(self.escape * 2):
            return trimmed[:-1], True
        return text, False

    def statement(self, text: str, goes_on: bool, comment: tuple[str, ...]) -> Statement:
        first = self.at
        parts = [text]
        empty = False
        while goes_on and (line := self.take()) is not None:
            stripped = line.strip()
            if stripped.startswith("#"):
                continue
            if not stripped:
                empty = True
                continue
            text, goes_on = self.continued(line.rstrip("\r\n"))
            parts.append(text)
        whole = "".join(parts).strip()
        try:
            documents = tuple(self.document(asked, first) for asked in _heredocs(whole))
        except DockerfileError as error:
            raise DockerfileError(error.message, first=first, last=self.at) from None
        return Statement(whole, first, self.at, comment, documents, empty)

    def document(self, asked: Heredoc, first: int) -> Heredoc:
        content: list[str] = []
        while (line := self.take()) is not None:
            if heredocs.is_end(asked, line):
                return heredocs.filled(asked, content, line)
            content.append(line)
        raise DockerfileError("unterminated heredoc", first=first, last=self.at)


def _heredocs(text: str) -> list[Heredoc]:
    """Those that a RUN, COPY or ADD asks for, beneath ONBUILD too; none in the JSON form."""
    word, rest = split_once(text)
    if word.lower() == "onbuild":
        text = rest
        word = split_once(text)[0]
    if "<<" not in text or word.lower() not in _WITH_HEREDOCS:
        return []
    if json_words(split_instruction(text)[2]) is not None:
        return []
    return heredocs.asked_for(text)


def _only_newlines(text: str) -> bool:
    """Whether str.splitlines splits where we do, at newlines alone; it is much faster."""
    return not any(end in text for end in "\r\v\f\x1c\x1d\x1e\x85\u2028\u2029")


def _keep_newlines(text: str) -> list[str]:
    parts = [line + "\n" for line in text.split("\n")]
    parts[-1] = parts[-1][:-1]
    return parts if parts[-1] else parts[:-1]
