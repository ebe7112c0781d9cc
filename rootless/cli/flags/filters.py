"""`--filter key=value`, repeated: parsed, and checked against the keys a command knows. Hot path."""

from __future__ import annotations

from rootless.cli.grammar.command import LIST, Option
from rootless.errors import InvalidInput
from rootless.record import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

Filters = dict[str, list[str]]


def convert(text: str) -> tuple[str, str]:
    """An Option's `convert`: key and value, in Docker's words where the `=` is missing."""
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise ValueError("bad format of filter (expected name=value)")
    return key.strip().lower(), value.strip()


OF_UNUSED = Option(
    ("--filter",), "filter", LIST, metavar="filter", convert=convert,
    help='Provide filter values ("until=24h", "label=key", "label!=key")',
)  # fmt: skip
"""What the prunes take; each knows its own keys."""


def collect(pairs: Iterable[tuple[str, str]], known: Iterable[str]) -> Filters:
    """All values given for each key; a key the command does not know is an error."""
    known = tuple(known)
    found: Filters = {}
    for key, value in pairs:
        if key not in known:
            raise InvalidInput(f"invalid filter '{key}'", hint="known filters: " + ", ".join(known))
        found.setdefault(key, []).append(value)
    return found


def boolean(filters: Filters, key: str) -> bool | None:
    """The value of a yes-or-no filter such as dangling; None where it is not given."""
    values = filters.get(key)
    if not values:
        return None
    if values[-1] not in ("true", "1", "false", "0"):
        raise InvalidInput(f"invalid filter '{key}={values[-1]}'", hint=f"{key}=true or {key}=false")
    return values[-1] in ("true", "1")
