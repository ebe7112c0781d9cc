"""--chmod: the mode a file gets, octal or as chmod(1) writes it. Pure."""

from __future__ import annotations

import re
import stat
from typing import NamedTuple

from rootless.errors import InvalidInput

_CLAUSE = re.compile(r"([ugoa]*)((?:[-+=](?:[rwxXst]*|[ugo]))+)")
_ACTION = re.compile(r"([-+=])([rwxXstugo]*)")
_BITS = {"r": 0o444, "w": 0o222, "x": 0o111, "s": 0o6000, "t": 0o1000}
_WHO = {"u": 0o4700, "g": 0o2070, "o": 0o1007, "a": 0o7777}
_SHIFT = {"u": 6, "g": 3, "o": 0}


class _Action(NamedTuple):
    """One of `u+x,go=rX`: whose bits, how, which."""

    who: int
    operator: str
    permissions: str


class Mode:
    """A parsed --chmod; "" keeps every file's own."""

    def __init__(self, text: str) -> None:
        """InvalidInput, in BuildKit's words for what looks like a number."""
        self._octal: int | None = None
        self._actions: list[_Action] = []
        if not text:
            return
        if text[0].isdigit():
            self._octal = int(text, 8) if re.fullmatch("[0-7]{1,12}", text) else -1
            if not 0 <= self._octal <= 0o7777:
                raise InvalidInput(
                    f"invalid chmod parameter: '{text}'. it should be octal string and between 0 and 07777"
                )
            return
        for clause in text.split(","):
            parsed = _CLAUSE.fullmatch(clause)
            if parsed is None:
                raise InvalidInput(
                    f"invalid chmod parameter: '{text}'", hint="write an octal number, or words such as u=rwX,go=rX"
                )
            who = 0
            for character in parsed[1] or "a":
                who |= _WHO[character]
            for operator, permissions in _ACTION.findall(parsed[2]):
                self._actions.append(_Action(who, operator, permissions))

    def of(self, mode: int) -> int:
        """The permission bits for a file of this st_mode."""
        if self._octal is not None:
            return self._octal
        bits = stat.S_IMODE(mode)
        is_directory = stat.S_ISDIR(mode)
        for who, operator, permissions in self._actions:
            bits = _changed(bits, who, operator, permissions, is_directory=is_directory)
        return bits


def _changed(bits: int, who: int, operator: str, permissions: str, *, is_directory: bool) -> int:
    wanted = 0
    for character in permissions:
        if character == "X":
            wanted |= 0o111 if is_directory or bits & 0o111 else 0
        elif character in _SHIFT:
            wanted |= 0o111 * (bits >> _SHIFT[character] & 7)
        else:
            wanted |= _BITS[character]
    wanted &= who
    if operator == "+":
        return bits | wanted
    if operator == "-":
        return bits & ~wanted
    # chmod(1): a directory keeps its set-ID bits unless they are named.
    kept = 0o6000 if is_directory and "s" not in permissions else 0
    return (bits & ~(who & ~kept)) | wanted
