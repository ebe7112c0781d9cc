"""`<<EOF`: what on a line asks for a document, and the document itself."""

from __future__ import annotations

from rootless.build.dockerfile.error import DockerfileError
from rootless.build.dockerfile.expand import expand
from rootless.build.dockerfile.instructions import Heredoc

_MOST = 256


def asked_for(line: str) -> list[Heredoc]:
    """The documents that the line's words ask for, in order, still empty. A line whose quotes do not match has none."""
    if "<<" not in line:
        return []
    documents = [document for word in _words(line) if (document := parse_word(word))]
    if len(documents) > _MOST:
        raise DockerfileError(f"more than {_MOST} heredocs in one instruction")
    return documents


def parse_word(word: str) -> Heredoc | None:
    """`[fd]<<[-]NAME`; None for any other word. A quoted part of NAME says that the content is not expanded."""
    digits, marker, name = word.partition("<<")
    if not marker or (digits and not (digits.isascii() and digits.isdigit() and len(digits) < 6)):
        return None
    strip_tabs = name.startswith("-")
    name = name[strip_tabs:]
    if not name or "<" in name:
        return None
    try:
        plain = expand(name, {}, keep_unset=True).words
        quoted = expand(name, {}, keep_unset=True, keep_quotes=True).words
    except DockerfileError:
        return None
    if len(plain) != 1 or len(quoted) != 1:
        return None
    return Heredoc(plain[0], "", plain == quoted, strip_tabs, int(digits or 0))


def is_end(heredoc: Heredoc, line: str) -> bool:
    """Whether the line, with its newline, ends the document."""
    line = line.rstrip("\r\n")
    return (line.lstrip("\t") if heredoc.strip_tabs else line) == heredoc.name


def filled(heredoc: Heredoc, lines: list[str], end: str) -> Heredoc:
    """With its content: the lines as they stand, with their newlines."""
    if heredoc.strip_tabs:
        lines = [line.lstrip("\t") for line in lines]
    return heredoc._replace(content="".join(lines), end=end.rstrip("\r\n"))


def _words(line: str) -> list[str]:
    """Words as a shell tells them apart, quotes and escapes left in; the escape is always the backslash here."""
    words: list[str] = []
    word: list[str] = []
    quote = ""
    position, end = 0, len(line)
    while position < end:
        character = line[position]
        if character == "\\" and quote != "'":
            word.append(line[position : position + 2])
            position += 2
            continue
        if quote:
            quote = "" if character == quote else quote
            word.append(character)
        elif character.isspace():
            words.append("".join(word))
            word = []
        else:
            quote = character if character in "'\"" else ""
            word.append(character)
        position += 1
    if quote:
        return []
    return [*words, "".join(word)]
