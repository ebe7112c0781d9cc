"""The parts of an instruction that is being parsed."""

from __future__ import annotations

from collections.abc import Sequence

from rootless.build.dockerfile.error import DockerfileError
from rootless.build.dockerfile.flags import Flags
from rootless.build.dockerfile.instructions import Command, Heredoc, Origin
from rootless.build.dockerfile.words import json_words
from rootless.record import Record


class Parsing(Record):
    """An instruction as the lexer leaves it."""

    origin: Origin
    flags: tuple[str, ...]
    rest: str
    heredocs: tuple[Heredoc, ...]
    escape: str

    @property
    def name(self) -> str:
        return self.origin.keyword.upper()

    def flags_of(
        self, *, text: Sequence[str] = (), boolean: Sequence[str] = (), repeated: Sequence[str] = ()
    ) -> Flags:
        return Flags(self.flags, text=text, boolean=boolean, repeated=repeated)

    def one(self) -> str:
        """The rest as the one argument it has to be."""
        self.flags_of()
        if not self.rest:
            raise DockerfileError(f"{self.name} requires exactly one argument")
        return self.rest

    def some(self) -> str:
        """The rest, of which there must be something."""
        if not self.rest:
            raise DockerfileError(f"{self.name} requires at least one argument")
        return self.rest


def command(text: str) -> Command:
    """JSON form, or a text for the shell."""
    words = json_words(text)
    return Command((text,), True) if words is None else Command(tuple(words), False)
