"""Points in time as Docker writes them: RFC 3339, UTC, nanoseconds. No datetime. Hot path."""

from __future__ import annotations

import time

from rootless.errors import InvalidInput
from rootless.inherited import LAST_S

NEVER = "0001-01-01T00:00:00Z"
_FIRST_S = -62_135_596_800  # the same in seconds


def now() -> str:
    """The present, as 2026-01-02T03:04:05.123456789Z."""
    return from_nanoseconds(time.time_ns())


def from_nanoseconds(nanoseconds: int) -> str:
    """The point in time `nanoseconds` after the epoch; the nearest one that has a date for one beyond."""
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    t = time.gmtime(min(max(seconds, _FIRST_S), LAST_S))
    return f"{t[0]:04}-{t[1]:02}-{t[2]:02}T{t[3]:02}:{t[4]:02}:{t[5]:02}.{rest:09}Z"


def to_nanoseconds(text: str) -> int:
    """Nanoseconds after the epoch of an RFC 3339 time (any offset, any number of decimals)."""
    try:
        day, _, rest = text.replace(" ", "T", 1).partition("T")
        offset = 0
        if rest.endswith(("Z", "z")):
            rest = rest[:-1]
        else:
            for sign in "+-":
                if sign in rest:
                    rest, _, zone = rest.partition(sign)
                    hours, _, minutes = zone.partition(":")
                    offset = (int(hours) * 3600 + int(minutes or 0) * 60) * (1 if sign == "+" else -1)
        year, month, date = (int(part) for part in day.split("-"))
        if year > 9999:
            raise ValueError("RFC 3339 has four digits")
        clock, _, fraction = (rest or "00:00:00").partition(".")
        hour, minute, second = (int(part) for part in [*clock.split(":"), "0", "0"][:3])
        seconds = (_days(year, month, date) * 86_400 + hour * 3600 + minute * 60 + second) - offset
        return seconds * 1_000_000_000 + int((fraction + "0" * 9)[:9])
    except ValueError:
        raise InvalidInput(
            f"invalid time '{text}'", hint="write 2026-01-02T03:04:05Z, or 10m for ten minutes ago"
        ) from None


def _days(year: int, month: int, day: int) -> int:
    """Days after 1970-01-01; years begin in March here. Not calendar.timegm: that module brings datetime."""
    if not (1 <= month <= 12 and 1 <= day <= 31):
        raise ValueError("no such day")
    year -= month <= 2
    era, of_era = divmod(year, 400)
    of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    return era * 146_097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719_468


def parse_moment(word: str) -> int:
    """Nanoseconds after the epoch of a --since/--until word: RFC 3339, Unix seconds, or an age such as 10m."""
    from rootless.engine.options.values import parse_duration

    seconds, _, fraction = word.partition(".")
    if (seconds + fraction).isascii() and seconds.isdigit() and (fraction.isdigit() or "." not in word):
        if len(seconds) > 12:
            raise InvalidInput(f"invalid time '{word[:40]}'", hint="Unix seconds have ten digits for long to come")
        return int(seconds) * 1_000_000_000 + int((fraction + "0" * 9)[:9])
    if word[:4].isdigit() and "-" in word:
        return to_nanoseconds(word if "T" in word or " " in word else word + "T00:00:00Z")
    return time.time_ns() - int(parse_duration(word, name="time") * 1_000_000_000)
