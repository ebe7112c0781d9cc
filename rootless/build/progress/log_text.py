"""What a command wrote, for a terminal: in colour, and nothing else that a terminal obeys. Pure."""

from __future__ import annotations

import re

from rootless.words import plain

_COLOUR = re.compile(r"(\x1b\[[0-9;:]*m)")


def for_terminal(line: bytes) -> bytes:
    """One line of output. Of what a carriage return wrote over only the last is left; a tab becomes a space."""
    text = line.removesuffix(b"\r").rpartition(b"\r")[2].decode("utf-8", "replace")
    if text.isprintable():
        return text.encode()
    pieces = _COLOUR.split(text)
    return "".join(piece if number % 2 else plain(piece) for number, piece in enumerate(pieces)).encode() + (
        b"\x1b[0m" if len(pieces) > 1 else b""
    )
