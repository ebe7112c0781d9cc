"""The words of --emulate-ids. Pure. Hot path."""

from __future__ import annotations

from rootless.errors import InvalidInput

WORDS = ("auto", "full", "ids", "fake", "off")
DEFAULT = "auto"


def parse_ids(word: str) -> str:
    """The word as the record has it, "" for none; InvalidInput for what is no word."""
    if word and word not in WORDS:
        raise InvalidInput(f"--emulate-ids: invalid value: {word}", hint=", ".join(WORDS))
    return word
