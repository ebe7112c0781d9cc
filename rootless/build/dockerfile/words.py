"""How the words of an instruction are told apart: flags, JSON arrays, quoted words, blanks."""

from __future__ import annotations

import json

from rootless.build.dockerfile.error import DockerfileError

BLANKS = " \t\v\f\r"
"""What separates words within a line."""


class _NotStrings(ValueError):
    """A JSON array with something in it that is no string."""


def split_once(text: str) -> tuple[str, str]:
    """The first word and what comes behind the blanks after it."""
    for position, character in enumerate(text):
        if character in BLANKS:
            return text[:position], text[position:].lstrip(BLANKS)
    return text, ""


def split_blanks(text: str) -> list[str]:
    """Words between blanks; no quotes, no escapes."""
    for blank in BLANKS[1:]:
        text = text.replace(blank, " ")
    return [word for word in text.split(" ") if word]


def split_instruction(line: str) -> tuple[str, list[str], str]:
    """The instruction's word as written, its flags (`--name=value`, quotes and escapes taken out), and the rest."""
    keyword, rest = split_once(line.strip())
    flags, rest = _flags(rest)
    return keyword, flags, rest.strip()


def _flags(text: str) -> tuple[list[str], str]:
    flags: list[str] = []
    position = 0
    while True:
        while position < len(text) and text[position].isspace():
            position += 1
        if not text.startswith("--", position):
            return flags, text[position:]
        word, position = _flag(text, position)
        if word == "--":
            return flags, text[position:]
        flags.append(word)


def _flag(text: str, position: int) -> tuple[str, int]:
    """One flag from `position` on, and where it ends. A backslash escapes here whatever the escape directive says."""
    word: list[str] = []
    quote = ""
    while position < len(text):
        character = text[position]
        if character == "\\":
            position += 1
            word.append(text[position : position + 1])
        elif quote:
            if character == quote:
                quote = ""
            else:
                word.append(character)
        elif character.isspace():
            break
        elif character in "'\"":
            quote = character
        else:
            word.append(character)
        position += 1
    return "".join(word), position


def json_words(text: str) -> list[str] | None:
    """The JSON form; None for what is none, which is then a text for the shell.

    An array that holds anything but strings is an error, as it can only be a mistake.
    """
    text = text.strip()
    if not text.startswith("["):
        return None
    try:
        # Numbers are only to be told apart from strings: a number of a million digits is not computed.
        values = json.loads(text, parse_int=_number, parse_float=_number, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return None
    if not isinstance(values, list):
        return None
    if not all(isinstance(value, str) for value in values):
        raise DockerfileError("when using JSON array syntax, arrays must be comprised of strings only")
    return [_valid(value) for value in values]


def _number(_digits: str) -> int:
    return 0


def _no_constant(name: str) -> None:
    raise ValueError(name)  # NaN and Infinity are Python's, not JSON's


def _valid(text: str) -> str:
    """Half a pair of surrogates, which JSON can spell, is no character."""
    try:
        text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return "".join("\ufffd" if "\ud800" <= character <= "\udfff" else character for character in text)
    return text


def quoted_words(text: str, escape: str) -> list[str]:
    """Words of ENV, LABEL and ARG: quotes keep blanks inside a word, and stay for the expansion to take out."""
    words: list[str] = []
    word: list[str] = []
    quote = ""
    inside = False
    position, end = 0, len(text)
    while position < end:
        character = text[position]
        if character == escape and quote != "'":
            position += 1
            if position < end:
                word += (character, text[position])
                inside = True
        elif quote:
            quote = "" if character == quote else quote
            word.append(character)
        elif character.isspace():
            if inside:
                words.append("".join(word))
            word, inside = [], False
        else:
            quote = character if character in "'\"" else ""
            word.append(character)
            inside = True
        position += 1
    if inside:
        words.append("".join(word))
    return words
