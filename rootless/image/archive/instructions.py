"""`--change`: Dockerfile instructions that alter an image's configuration (import, commit).

The grammar is Dockerfile's for CMD, ENTRYPOINT, ENV, EXPOSE, HEALTHCHECK, LABEL, ONBUILD, STOPSIGNAL, USER,
VOLUME and WORKDIR; nothing is run. Pure.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable
from typing import Any

from rootless.errors import InvalidInput

_LISTED = "CMD, ENTRYPOINT, ENV, EXPOSE, HEALTHCHECK, LABEL, ONBUILD, STOPSIGNAL, USER, VOLUME, WORKDIR"


def apply(config: dict[str, Any], instructions: Iterable[str]) -> dict[str, Any]:
    """A copy of the image's run configuration with `instructions` applied in order."""
    changed = json.loads(json.dumps(config))
    for instruction in instructions:
        word, _, rest = instruction.strip().partition(" ")
        # Docker takes `CMD=/bin/sh` as well.
        if "=" in word:
            word, _, first = word.partition("=")
            rest = f"{first} {rest}"
        _apply_one(changed, word.upper(), rest.strip(), instruction)
    return changed  # type: ignore[no-any-return]


def _apply_one(config: dict[str, Any], word: str, rest: str, whole: str) -> None:
    if not rest and word not in ("CMD", "ENTRYPOINT"):
        raise InvalidInput(f"--change {whole!r}: {word or 'the instruction'} needs an argument")
    if word in ("CMD", "ENTRYPOINT"):
        config["Cmd" if word == "CMD" else "Entrypoint"] = _command(rest)
    elif word == "ENV":
        environment = dict(entry.partition("=")[::2] for entry in config.get("Env", []))
        environment.update(_pairs(rest, whole))
        config["Env"] = [f"{key}={value}" for key, value in environment.items()]
    elif word == "LABEL":
        config.setdefault("Labels", {}).update(_pairs(rest, whole))
    elif word == "EXPOSE":
        for port in _words(rest, whole):
            config.setdefault("ExposedPorts", {})[_port(port, whole)] = {}
    elif word == "VOLUME":
        for path in _list(rest) or _words(rest, whole):
            config.setdefault("Volumes", {})[path] = {}
    elif word == "WORKDIR":
        current = config.get("WorkingDir") or "/"
        config["WorkingDir"] = rest if rest.startswith("/") else current.rstrip("/") + "/" + rest
    elif word in ("USER", "STOPSIGNAL"):
        config["User" if word == "USER" else "StopSignal"] = rest
    elif word == "HEALTHCHECK":
        config["Healthcheck"] = _healthcheck(rest, whole)
    elif word == "ONBUILD":
        config.setdefault("OnBuild", []).append(rest)
    else:
        raise InvalidInput(f"--change {whole!r}: unknown instruction {word!r}", hint=f"one of {_LISTED}")


_HEALTH_FLAGS = {
    "--interval": "Interval", "--timeout": "Timeout", "--start-period": "StartPeriod",
    "--start-interval": "StartInterval", "--retries": "Retries",
}  # fmt: skip


def _healthcheck(text: str, whole: str) -> dict[str, Any]:
    """`NONE`, or `[--interval=30s ...] CMD command`, as Docker's HealthConfig: times in nanoseconds."""
    found: dict[str, Any] = {}
    while text.startswith("--"):
        flag, _, text = text.partition(" ")
        name, _, value = flag.partition("=")
        text = text.lstrip()
        if name not in _HEALTH_FLAGS:
            raise InvalidInput(f"--change {whole!r}: unknown flag {name}", hint=f"one of {', '.join(_HEALTH_FLAGS)}")
        found[_HEALTH_FLAGS[name]] = _retries(value, whole) if name == "--retries" else _nanoseconds(value, whole)
    kind, _, command = text.partition(" ")
    command = command.strip()
    if kind.upper() == "NONE" and not command and not found:
        return {"Test": ["NONE"]}
    if kind.upper() != "CMD" or not command:
        raise InvalidInput(f"--change {whole!r}: write HEALTHCHECK NONE, or HEALTHCHECK [FLAGS] CMD COMMAND")
    words = _list(command)
    return {"Test": ["CMD-SHELL", command] if words is None else ["CMD", *words], **found}


def _retries(word: str, whole: str) -> int:
    if not (word.isascii() and word.isdigit() and len(word) < 10):
        raise InvalidInput(f"--change {whole!r}: '{word}' is no number of retries")
    return int(word)


_UNITS = {"h": 3600 * 10**9, "m": 60 * 10**9, "s": 10**9, "ms": 10**6}


def _nanoseconds(word: str, whole: str) -> int:
    """Of 1m30s and the like."""
    parts = re.findall(r"([0-9]{1,9})(ms|[hms])", word)
    if not parts or "".join(map("".join, parts)) != word:
        raise InvalidInput(f"--change {whole!r}: invalid duration '{word}'", hint="write for example 30s or 1m30s")
    return sum(int(number) * _UNITS[unit] for number, unit in parts)


def _list(text: str) -> list[str] | None:
    """The exec form `["a", "b"]`, or None: anything else is the shell form."""
    if not text.startswith("["):
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, list) and all(isinstance(item, str) for item in value) else None


def _command(text: str) -> list[str]:
    words = _list(text)
    if words is not None:
        return words
    return ["/bin/sh", "-c", text] if text else []


def _words(text: str, whole: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError as error:
        raise InvalidInput(f"--change {whole!r}: {error}") from None


def _pairs(text: str, whole: str) -> dict[str, str]:
    words = _words(text, whole)
    if "=" not in words[0]:
        # The old form: `ENV name the rest is the value`.
        name, _, value = text.partition(" ")
        if not value:
            raise InvalidInput(f"--change {whole!r}: write NAME=VALUE")
        return {name: value.strip()}
    pairs = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name:
            raise InvalidInput(f"--change {whole!r}: write NAME=VALUE")
        pairs[name] = value
    return pairs


def _port(text: str, whole: str) -> str:
    number, _, protocol = text.partition("/")
    first, _, last = number.partition("-")
    fine = all(part.isascii() and part.isdigit() and 0 < int(part) < 65536 for part in (first, last or first))
    if not fine or protocol not in ("", "tcp", "udp", "sctp"):
        raise InvalidInput(f"--change {whole!r}: {text!r} is no port", hint="write 80 or 53/udp")
    return f"{number}/{protocol or 'tcp'}"
