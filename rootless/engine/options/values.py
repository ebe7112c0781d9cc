"""Small values as users write them: sizes, durations, ulimits, devices, environment files. Hot path."""

from __future__ import annotations

import os

from rootless.errors import InvalidInput, NotFound
from rootless.record import TypedDict

_POWERS = {unit + end: power for power, unit in enumerate(("", *"kmgtp")) for end in ("", "b", "ib")}


def parse_bytes(word: str, *, name: str = "size") -> int:
    """Bytes of "64m", "1.5GiB", "1024"; units are powers of 1024, as Docker's RAMInBytes."""
    # (\d+(?:\.\d+)?) ?([kmgtp]?)(?:i?b)?, without a regular expression compiled for each start
    text = word.strip().lower()
    number = text.rstrip("bikmgtp")
    power = _POWERS.get(text[len(number) :])
    number = number.removesuffix(" ")
    units, dot, part = number.partition(".")
    if power is None or not (units + part).isascii() or not units.isdecimal() or (dot and not part.isdecimal()):
        raise InvalidInput(
            f"invalid {name}: '{word}'", hint="write a number with b, k, m or g, for example 64m"
        )
    size = float(number) * 1024**power
    if size >= 1 << 63:
        raise InvalidInput(f"invalid {name}: '{word}' is out of range", hint="at most 8191p")
    return int(size)


_LONGEST_S = (1 << 63) / 1e9  # Go's, in nanoseconds
_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


def parse_duration(word: str, *, name: str = "duration") -> float:
    """Seconds of "1m30s", "250ms" (Go's grammar)."""
    import re

    total, end = 0.0, 0
    for match in re.finditer(r"([0-9]+(?:\.[0-9]+)?)(ns|us|µs|ms|s|m|h)", word):
        if match.start() != end:
            break
        total += float(match[1]) * _SECONDS[match[2]]
        end = match.end()
    if not word or end != len(word) or total >= _LONGEST_S:
        raise InvalidInput(f"invalid {name}: '{word}'", hint="write for example 30s, 1m30s or 2h")
    return total


def whole(word: str) -> int:
    """A whole number as Go's ParseInt has it: sign and ASCII digits, no blanks, no underscores; ValueError."""
    digits = word[1:] if word[:1] in ("+", "-") else word
    if not (digits.isascii() and digits.isdigit()) or len(digits) > 100:
        raise ValueError(word)
    return int(word)


class Ulimit(TypedDict):
    """A resource limit; -1 is unlimited."""

    name: str
    soft: int
    hard: int


ULIMITS = (
    "core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue", "nice", "nofile", "nproc", "rss",
    "rtprio", "rttime", "sigpending", "stack", "as",
)  # fmt: skip


def parse_ulimit(word: str) -> Ulimit:
    """One --ulimit word: `NAME=SOFT[:HARD]`."""
    name, equals, limits = word.partition("=")
    soft, _, hard = limits.partition(":")
    if name not in ULIMITS:
        raise InvalidInput(f"invalid ulimit type: {name}", hint="one of " + " ".join(ULIMITS))
    try:
        low = -1 if soft == "unlimited" else whole(soft)
        high = low if not hard else (-1 if hard == "unlimited" else whole(hard))
    except ValueError:
        raise InvalidInput(f"invalid ulimit argument: {word}", hint="write NAME=SOFT[:HARD]") from None
    if not equals or low < -1 or high < -1 or max(low, high) >= 1 << 63:
        raise InvalidInput(f"invalid ulimit argument: {word}", hint="write NAME=SOFT[:HARD]")
    if high != -1 and (low > high or low == -1):
        raise InvalidInput(
            f"ulimit soft limit must be less than or equal to hard limit: {soft} > {hard or soft}"
        )
    return {"name": name, "soft": low, "hard": high}


class DeviceOption(TypedDict):
    """A device of the host, its path in the container, and Docker's permissions (rwm)."""

    source: str
    target: str
    permissions: str


def parse_device(word: str) -> DeviceOption:
    """One --device word: `HOST[:CONTAINER][:rwm]`."""
    parts = word.split(":")
    source, target, permissions = parts[0], parts[0], "rwm"
    if len(parts) == 2 and set(parts[1]) <= set("rwm") and parts[1]:
        permissions = parts[1]
    elif len(parts) >= 2:
        target = parts[1]
        permissions = parts[2] if len(parts) == 3 else permissions
    if len(parts) > 3 or not source.startswith("/") or not target.startswith("/"):
        raise InvalidInput(f"invalid device specification: {word}", hint="write /dev/x[:/dev/y][:rwm]")
    if not permissions or not set(permissions) <= set("rwm"):
        raise InvalidInput(f"invalid device mode: {permissions} (in '{word}')")
    return {"source": source, "target": os.path.normpath(target), "permissions": permissions}


def parse_env(word: str) -> str | None:
    """`NAME=VALUE`, or `NAME` taken from our own environment (None where it is unset there)."""
    name, equals, _ = word.partition("=")
    if not name:
        raise InvalidInput(f"invalid environment variable: {word}")
    if equals:
        return word
    value = os.environ.get(name)
    return None if value is None else f"{name}={value}"


def read_env_file(path: str) -> list[str]:
    """The variables of an --env-file: one a line, `#` comments, no quoting (as Docker's)."""
    found = []
    for number, line in enumerate(_lines(path), 1):
        text = line.lstrip()
        if not text or text.startswith("#"):
            continue
        name = text.partition("=")[0]
        if not name or any(c.isspace() for c in name):
            raise InvalidInput(
                f"poorly formatted environment: variable '{name}' contains whitespaces ({path}:{number})"
            )
        value = parse_env(text)
        if value is not None:
            found.append(value)
    return found


def read_label_file(path: str) -> list[str]:
    """The labels of a --label-file, one KEY=VALUE a line, by the rules of an --env-file."""
    found = []
    for number, line in enumerate(_lines(path), 1):
        text = line.lstrip()
        if not text or text.startswith("#"):
            continue
        name = text.partition("=")[0]
        if not name or any(c.isspace() for c in name):
            raise InvalidInput(f"poorly formatted label: variable '{name}' contains whitespaces ({path}:{number})")
        found.append(text)
    return found


def _lines(path: str) -> list[str]:
    from rootless.storage import named_paths

    try:
        # Only an end of line ends a line, and what a Windows editor puts first is no part of a name.
        with open(named_paths.open_file(path, "the file"), encoding="utf-8-sig", newline="\n") as file:
            return [line.removesuffix("\n").removesuffix("\r") for line in file]
    except FileNotFoundError:
        raise NotFound(f"open {path}: no such file or directory") from None
    except UnicodeDecodeError:
        raise InvalidInput(f"env file {path} contains invalid utf8 bytes") from None
    except (OSError, ValueError) as error:
        raise InvalidInput(f"cannot read {path}: {getattr(error, 'strerror', error)}") from error


def parse_pairs(words: list[str]) -> dict[str, str]:
    """KEY=VALUE words (labels, sysctls, log options) as a dict; a missing value is ""."""
    pairs = {}
    for word in words:
        key, _, value = word.partition("=")
        if not key:
            raise InvalidInput(f"invalid argument '{word}': the key is empty")
        pairs[key] = value
    return pairs


def merge_env(*layers: list[str]) -> list[str]:
    """Environments merged, later ones win, first position kept."""
    merged: dict[str, str] = {}
    for layer in layers:
        for word in layer:
            merged[word.partition("=")[0]] = word
    return list(merged.values())
