"""What a command is, as data: its options, its arguments, the function behind it.

Imported by every command module: standard library only, and little of it.
The parser, the help, the completion scripts and docs/cli all read these tables. Hot path.
"""

from __future__ import annotations

from rootless.record import TYPE_CHECKING, Record

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

FLAG = "flag"
"""True or False: `--rm`, `--rm=false`. Never takes the next word."""
VALUE = "value"
"""One value; the last one given counts."""
LIST = "list"
"""May be repeated; the values in order."""
COUNT = "count"
"""How often it was given: `-vv`."""

PLAIN, EXEC, RUN = "plain", "exec", "run"
"""What an error's exit status becomes: 1; 126 and 127 kept, else 1; the error's own (125, 126, 127)."""


class Option(Record):
    """One option. `default` None stands for what its kind implies: False, None, [] or 0.

    `convert` turns one given text into a value and raises ValueError or InvalidInput.
    `implied` is the value of a VALUE option given without `=value` (it then never takes the next word).
    `complete` says what its value names, for completion: "container", "image", "volume", "file",
    "directory", or the possible words separated by `|`.
    """

    names: tuple[str, ...]
    dest: str
    kind: str = FLAG
    metavar: str = ""
    help: str = ""
    default: Any = None
    convert: Callable[[str], Any] | None = None
    implied: str | None = None
    hidden: bool = False
    deprecated: str = ""
    complete: str = ""

    @property
    def shown(self) -> str:
        """As messages name it: `-d, --detach`."""
        return ", ".join(self.names)

    def initial(self) -> Any:
        """The value when it is not given; a fresh list for LIST."""
        if self.kind == LIST:
            return list(self.default or ())
        if self.default is not None or self.kind == VALUE:
            return self.default
        return 0 if self.kind == COUNT else False


class Args:
    """What was given: an attribute for each option's dest, and `positional`.

    `given` holds the dests that were named on the command line, for defaults that depend on others.
    """

    positional: list[str]
    given: set[str]

    def __init__(self) -> None:
        self.positional = []
        self.given = set()

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...

    def __repr__(self) -> str:
        return f"Args({self.__dict__!r})"


class Command(Record):
    """One command. `name` and `summary` are those of cli/command_table.py (a test compares them).

    `usage` is what follows the name, `[OPTIONS] IMAGE [COMMAND] [ARG...]`. `interspersed` False ends the
    options at the first argument, so that the rest belongs to the container's command. `handler`
    returns the exit status and raises RootlessError; `status` says what that becomes (PLAIN, EXEC, RUN).
    `verbatim`: the words are mostly another program's, and all of them positional, as they stand.
    `complete` says what its arguments name, as Option.complete; a trailing "file" word list is not needed.
    """

    name: str
    summary: str
    usage: str
    options: tuple[Option, ...]
    handler: Callable[[Args], int]
    min_args: int = 0
    max_args: int | None = None
    interspersed: bool = True
    status: str = PLAIN
    description: str = ""
    examples: tuple[tuple[str, str], ...] = ()
    complete: str = ""
    verbatim: bool = False


def integer(text: str) -> int:
    """A `convert` for whole numbers, worded as Docker's."""
    digits = text[1:] if text[:1] in ("+", "-") else text
    if not (digits.isascii() and digits.isdigit()):
        raise ValueError(f'strconv.ParseInt: parsing "{text}": invalid syntax')
    # Python reads no number of more than 4300 digits.
    number = int(text, 10) if len(digits) <= 100 else 1 << 63
    if not -(1 << 63) <= number < 1 << 63:
        raise ValueError(f'strconv.ParseInt: parsing "{text}": value out of range')
    return number


def choice(*words: str) -> Callable[[str], str]:
    """A `convert` that takes one of a few words."""

    def convert(text: str) -> str:
        if text not in words:
            raise ValueError("must be one of " + ", ".join(word for word in words if word))
        return text

    return convert
