"""`--filter key=value`, repeated: parsed, and checked against the keys a command knows."""

from __future__ import annotations

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


def label_matches(labels: dict[str, str], wanted: Iterable[str]) -> bool:
    """Whether all of `key` or `key=value` are among `labels`."""
    for word in wanted:
        key, equals, value = word.partition("=")
        if key not in labels or (equals and labels[key] != value):
            return False
    return True


def moment(text: str, *, now: float) -> float:
    """A filter's time, `10m`, `1h30m`, a unix time or RFC 3339, as seconds since 1970."""
    from rootless.cli.units import parse_time

    try:
        return float(text)
    except ValueError:
        pass
    try:
        return now - duration(text)
    except ValueError:
        pass
    try:
        return parse_time(text)
    except ValueError:
        raise InvalidInput(f'failed to parse value as time or duration: "{text}"') from None


def duration(text: str) -> float:
    """Go's durations, `1h30m`, `500ms`, as seconds; ValueError otherwise."""
    units = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
    total, number, at = 0.0, "", 0
    while at < len(text):
        if text[at].isdigit() or text[at] == ".":
            number += text[at]
            at += 1
            continue
        unit = text[at : at + 2] if text[at : at + 2] in units else text[at]
        total += float(number) * units[unit] if unit in units else float("nan")
        number, at = "", at + len(unit)
    if number or not text or total != total:
        raise ValueError(f"not a duration: {text!r}")
    return total
