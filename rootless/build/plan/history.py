"""`created_by`: what Docker's history shows of an instruction, to the letter, for it is in images' digests."""

from __future__ import annotations

from collections.abc import Iterable

from rootless.build.dockerfile.quantities import duration
from rootless.build.plan.image_config import Health

_ESCAPES = {
    "\a": "\\a", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v", "\\": "\\\\", '"': '\\"',
}  # fmt: skip


def quoted(words: Iterable[str]) -> str:
    """Go's %q of a list: `["/bin/sh" "-c" "echo"]`."""
    return "[" + " ".join(f'"{"".join(map(_escaped, word))}"' for word in words) + "]"


def _escaped(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    number = ord(character)
    if 0xDC80 <= number <= 0xDCFF:  # a byte that is no UTF-8
        return f"\\x{number - 0xDC00:02x}"
    if character.isprintable():
        return character
    if number < 0x80:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def listed(words: Iterable[str]) -> str:
    """Go's %v of a list: `[/a /b]`."""
    return f"[{' '.join(words)}]"


def health(check: Health) -> str:
    """Go's %+v of the health check."""
    times = (
        ("Interval", check.interval),
        ("Timeout", check.timeout),
        ("StartPeriod", check.start_period),
        ("StartInterval", check.start_interval),
    )
    shown = " ".join(f"{name}:{duration(value)}" for name, value in times)
    return f"{{Test:{listed(check.test)} {shown} Retries:{check.retries}}}"


def run(arguments: dict[str, str], words: Iterable[str]) -> str:
    """`RUN |2 A=1 B=2 /bin/sh -c make`: the build arguments that were declared, then the command."""
    declared = [f"{name}={value}" for name, value in arguments.items()]
    return " ".join(("RUN", *([f"|{len(declared)}", *declared] if declared else ()), *words))
