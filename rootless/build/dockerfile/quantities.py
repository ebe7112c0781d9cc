"""Numbers with units as Go reads them: durations, sizes, truth values; and as it writes them."""

from __future__ import annotations

from rootless.build.dockerfile.error import DockerfileError

_NANOSECONDS = {
    "ns": 1, "us": 10**3, "µs": 10**3, "μs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9,
}  # fmt: skip
_BYTES = {"": 0, "b": 0, "k": 1, "m": 2, "g": 3, "t": 4, "p": 5}
_LARGEST = (1 << 63) - 1
_TRUE, _FALSE = ("1", "t", "T", "true", "TRUE", "True"), ("0", "f", "F", "false", "FALSE", "False")


def nanoseconds(text: str) -> int:
    """Of `1h2m3.5s`; raises DockerfileError in Go's words."""
    rest = text[1:] if text[:1] in ("-", "+") else text
    if rest == "0":
        return 0
    total = 0
    invalid = DockerfileError(f'time: invalid duration "{text[:100]}"')
    if not rest:
        raise invalid
    while rest:
        digits = _leading(rest, "0123456789.")
        whole, _, part = digits.partition(".")
        if not (whole or part) or "." in part or len(digits) > 40:
            raise invalid
        rest = rest[len(digits) :]
        unit = _leading(rest, "", until="0123456789.")
        if not unit:
            raise DockerfileError(f'time: missing unit in duration "{text[:100]}"')
        if unit not in _NANOSECONDS:
            raise DockerfileError(f'time: unknown unit "{unit[:20]}" in duration "{text[:100]}"')
        rest = rest[len(unit) :]
        size = _NANOSECONDS[unit]
        total += int(whole or 0) * size + int(part or 0) * size // 10 ** len(part)
        if total > _LARGEST:
            raise invalid
    return -total if text.startswith("-") else total


def _leading(text: str, among: str, *, until: str = "") -> str:
    for position, character in enumerate(text):
        if character in until if until else character not in among:
            return text[:position]
    return text


def duration(nanoseconds: int) -> str:
    """As Go prints a time.Duration: 1m30s, 1.5s, 100ms, 0s."""
    if nanoseconds == 0:
        return "0s"
    for unit, size in (("ns", 1), ("µs", 10**3), ("ms", 10**6)):
        if nanoseconds < size * 1000:
            return _decimal(nanoseconds, size) + unit
    minutes, rest = divmod(nanoseconds, 60 * 10**9)
    hours, minutes = divmod(minutes, 60)
    seconds = _decimal(rest, 10**9) + "s"
    if hours:
        return f"{hours}h{minutes}m{seconds}"
    return f"{minutes}m{seconds}" if minutes else seconds


def _decimal(value: int, size: int) -> str:
    whole, part = divmod(value, size)
    digits = str(part).rjust(len(str(size)) - 1, "0").rstrip("0") if part else ""
    return f"{whole}.{digits}" if digits else str(whole)


def size_bytes(text: str) -> int | None:
    """Of `64m`, `1.5GiB`, `512`: by 1024, as Docker's memory sizes; None for what is no size."""
    number = _leading(text, "0123456789.")
    unit = text[len(number) :].strip().lower()
    unit = unit.removesuffix("ib") if unit.endswith("ib") and len(unit) == 3 else unit
    unit = unit.removesuffix("b") if len(unit) == 2 else unit
    whole, _, part = number.partition(".")
    if unit not in _BYTES or not whole or "." in part or len(number) > 40:
        return None
    scale = 1024 ** _BYTES[unit]
    size = int(whole) * scale + int(part or 0) * scale // 10 ** len(part)
    return size if size <= _LARGEST else None


def truth(text: str) -> bool | None:
    """Go's ParseBool; None for what is neither."""
    return True if text in _TRUE else False if text in _FALSE else None


def integer(text: str, *, base: int = 10, bits: int = 32) -> int | None:
    """An unsigned number of at most so many bits, digits only; None for anything else."""
    digits = "0123456789"[:base]
    if not text or len(text) > 20 or any(character not in digits for character in text):
        return None
    number = int(text, base)
    return number if number < 1 << bits else None
