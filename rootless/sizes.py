"""Numbers of bytes, written for people and read from them. Below everything. Hot path."""

from __future__ import annotations

_DECIMAL = ("B", "kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB")
_BINARY = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB")


def decimal(size_bytes: float, form: str = ".3g") -> str:
    """By powers of 1000, as Docker's lists have it (docker/go-units): 0B, 999B, 1.02kB, 77.8MB. `form`: of the number, but of bytes."""
    return _scaled(size_bytes, 1000.0, _DECIMAL, form)


def binary(size_bytes: float, form: str = ".4g") -> str:
    """By powers of 1024: 15.61GiB."""
    return _scaled(size_bytes, 1024.0, _BINARY, form)


def parse(text: str) -> int | None:
    """The bytes that `20G` means, by powers of 1024; None for what is no size."""
    word = text.lower().removesuffix("b")
    unit = word[-1:] if word[-1:] in "kmgt" else ""
    digits = word.removesuffix(unit)
    if not (digits.isascii() and digits.isdecimal() and len(digits) < 16):
        return None
    return int(digits) << (10 * (1 + "kmgt".index(unit)) if unit else 0)


def _scaled(size: float, base: float, units: tuple[str, ...], form: str) -> str:
    step = 0
    while size >= base and step < len(units) - 1:
        size /= base
        step += 1
    return format(size, form if step else ".4g") + units[step]
