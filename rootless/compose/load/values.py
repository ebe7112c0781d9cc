"""Sizes, times and lists as compose files write them, in the canonical form that `config` prints."""

from __future__ import annotations

import re
import shlex
from typing import Any

from rootless.errors import InvalidInput

_UNITS = {"": 0, "b": 0, "k": 1, "m": 2, "g": 3, "t": 4, "p": 5}
_SIZE = re.compile(r"(-?[0-9]{1,18}(?:\.[0-9]{1,18})?) ?([kmgtp]?)(?:i?b)?", re.IGNORECASE)
_PART = re.compile(r"([0-9]{1,18}(?:\.[0-9]{0,18})?|\.[0-9]{1,18})(ns|us|µs|μs|ms|s|m|h|d|w)")
_NANOSECONDS = {
    "ns": 1, "us": 10**3, "µs": 10**3, "μs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9,
    "d": 86400 * 10**9, "w": 7 * 86400 * 10**9,
}  # fmt: skip


def size(value: Any, what: str) -> int:
    """Bytes of 512, "64m", "1.5GiB": units are powers of 1024. InvalidInput."""
    if isinstance(value, int):
        return value
    match = _SIZE.fullmatch(str(value).strip())
    if match is None:
        raise InvalidInput(f"{what}: invalid size: '{value}'", hint="write a number with b, k, m or g, for example 64m")
    return int(float(match[1]) * 1024 ** _UNITS[match[2].lower()]) if match[2] or "." in match[1] else int(match[1])


def nanoseconds(value: Any, what: str) -> int:
    """Of "1m30s", "250ms"; of "1d" and "1w", too. InvalidInput."""
    text = str(value)
    if text == "0":
        return 0
    total, end = 0.0, 0
    for match in _PART.finditer(text):
        if match.start() != end:
            break
        total, end = total + float(match[1]) * _NANOSECONDS[match[2]], match.end()
    if not text or end != len(text) or total >= 1 << 63:
        raise InvalidInput(f"{what}: time: invalid duration \"{text}\"", hint="write for example 30s, 1m30s or 2h")
    return int(total)


def duration(value: Any, what: str) -> str:
    """The time in Go's spelling: 1m30s, 1.5s, 250ms."""
    total = nanoseconds(value, what)
    if total == 0:
        return "0s"
    for unit, name in ((1, "ns"), (10**3, "µs"), (10**6, "ms")):
        if total < unit * 1000:
            return f"{_decimal(total, unit)}{name}"
    minutes, rest = divmod(total, 60 * 10**9)
    hours, minutes = divmod(minutes, 60)
    seconds = f"{_decimal(rest, 10**9)}s"
    return f"{hours}h{minutes}m{seconds}" if hours else f"{minutes}m{seconds}" if minutes else seconds


def _decimal(number: int, unit: int) -> str:
    whole, rest = divmod(number, unit)
    return f"{whole}.{str(rest + unit)[1:].rstrip('0')}" if rest else str(whole)


def words(value: Any, what: str) -> list[str] | None:
    """A command as a list: a text is split as a shell splits it, without its expansions."""
    if value is None:
        return None
    if isinstance(value, list):
        return [text(one) for one in value]
    try:
        return shlex.split(str(value))
    except ValueError as error:
        raise InvalidInput(f"{what}: invalid command line string: {error}") from None


def text(value: Any) -> str:
    """A scalar as the text that a variable or a label has of it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return repr(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    return str(value)


def mapping(value: Any, *, keep_null: bool = False) -> dict[str, Any]:
    """KEY=VALUE words or a mapping, as a mapping of texts. `keep_null`: what has no value is None, else ""."""
    nothing = None if keep_null else ""
    if isinstance(value, dict):
        return {key: nothing if one is None else text(one) for key, one in value.items()}
    found: dict[str, Any] = {}
    for one in value or ():
        key, equals, rest = text(one).partition("=")
        found[key] = rest if equals else nothing
    return found


def several(value: Any) -> list[Any]:
    """A list of what may be written as one."""
    return [] if value is None else list(value) if isinstance(value, list) else [value]
