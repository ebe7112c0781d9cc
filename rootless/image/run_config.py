"""What an image says about running it (OCI image-spec, config.md, "config"): bounded, and typed as its words.

Two readers: image/config.py at load and pull, and the engine each time a container is made, since the store
may hold images that older versions took. No word of an image is read by a grammar of the command line: a VOLUME
is a path inside and nothing else, whatever colons, tildes and dots are in it. Hot path.
"""

from __future__ import annotations

import os

from rootless.errors import Corrupt, InvalidInput
from rootless.record import TYPE_CHECKING, Record
from rootless.words import GuestPath, ImageWord

if TYPE_CHECKING:
    from typing import Any

# What no kernel and no Docker takes either: PATH_MAX, a string of execve(2), Go's int64.
LONGEST_PATH, LONGEST_STRING, LARGEST_NUMBER = 4095, 131_071, (1 << 63) - 1
LONGEST_WORD = 1024
"""Of a user, a signal, a port: names, which an error may have to repeat."""
MOST_ENTRIES = 10_000

_WORDS = {"User": LONGEST_WORD, "WorkingDir": LONGEST_PATH, "StopSignal": LONGEST_WORD}
_LISTS = ("Env", "Entrypoint", "Cmd", "Shell", "OnBuild")
_SETS = {"ExposedPorts": LONGEST_WORD, "Volumes": LONGEST_PATH}
_NUMBERS = ("Interval", "Timeout", "StartPeriod", "StartInterval", "Retries")


class RunConfig(Record):
    """An image's `config`, as the engine reads it; what the image leaves open is empty."""

    user: ImageWord = ImageWord()
    workdir: ImageWord = ImageWord()
    stop_signal: ImageWord = ImageWord()
    entrypoint: tuple[ImageWord, ...] = ()
    cmd: tuple[ImageWord, ...] = ()
    shell: tuple[ImageWord, ...] = ()
    env: tuple[ImageWord, ...] = ()
    labels: dict[str, ImageWord] = {}
    volumes: tuple[GuestPath, ...] = ()
    exposed: tuple[ImageWord, ...] = ()
    health_test: tuple[ImageWord, ...] = ()
    health_numbers: dict[str, int] = {}


def check(config: Any, what: str) -> dict[str, Any]:
    """`config` without its nulls, its types and sizes checked and its text made text; raises Corrupt, naming the field.

    Single strings where lists belong become lists: Windows and very old builders wrote them.
    """
    if not isinstance(config, dict):
        raise Corrupt(f"{what}: config is no object")
    try:
        found: dict[str, Any] = {text(key): text(value) for key, value in config.items() if value is not None}
    except RecursionError:
        raise Corrupt(f"{what}: config is nested too deeply") from None
    for key, longest in _WORDS.items():
        _string(found.get(key, ""), f"{what}: config.{key}", longest)
    for key in _LISTS:
        value = found.get(key, [])
        if isinstance(value, str):
            value = found[key] = [value]
        _strings(value, f"{what}: config.{key}")
    for key, longest in _SETS.items():
        _keys(found.get(key, {}), f"{what}: config.{key}", longest)
    labels = _keys(found.get("Labels", {}), f"{what}: config.Labels", LONGEST_STRING)
    if not all(isinstance(value, str) for value in labels.values()):
        raise Corrupt(f"{what}: config.Labels is no object of strings")
    health = _keys(found.get("Healthcheck", {}), f"{what}: config.Healthcheck", LONGEST_WORD)
    _strings(health.get("Test") or [], f"{what}: config.Healthcheck.Test")
    for key in _NUMBERS:
        _number(health.get(key) or 0, f"{what}: config.Healthcheck.{key}")
    _number(found.get("StopTimeout", 0), f"{what}: config.StopTimeout")
    return found


def read(config: Any, *, what: str = "the image") -> RunConfig:
    """The words of an image's `config` for a container of it; Corrupt or InvalidInput, naming the field."""
    fields = check(config or {}, what)
    health = fields.get("Healthcheck") or {}
    return RunConfig(
        user=ImageWord(fields.get("User", "")),
        workdir=ImageWord(fields.get("WorkingDir", "")),
        stop_signal=ImageWord(fields.get("StopSignal", "")),
        entrypoint=_words(fields.get("Entrypoint")),
        cmd=_words(fields.get("Cmd")),
        shell=_words(fields.get("Shell")),
        env=_words(fields.get("Env")),
        labels={key: ImageWord(value) for key, value in (fields.get("Labels") or {}).items()},
        volumes=tuple(volume_path(ImageWord(key)) for key in sorted(fields.get("Volumes") or {})),
        exposed=tuple(exposed_port(ImageWord(key)) for key in sorted(fields.get("ExposedPorts") or {})),
        health_test=_words(health.get("Test")),
        health_numbers={key: health[key] for key in _NUMBERS if health.get(key)},
    )


def volume_path(key: ImageWord) -> GuestPath:
    """Where a VOLUME of an image is mounted: the key is a path inside the container, colons and all.

    A relative one begins at the root, as with Docker. InvalidInput for the root itself and for /proc, where
    no volume can be.
    """
    clean = "/" + os.path.normpath("/" + key.text).lstrip("/")
    if clean == "/":
        raise InvalidInput(f"the image's VOLUME '{key.text}': a volume's destination can't be '/'")
    if clean == "/proc" or clean.startswith("/proc/"):
        raise InvalidInput(f"the image's VOLUME '{key.text}' cannot be mounted because it is inside /proc")
    return GuestPath(clean)


def exposed_port(key: ImageWord) -> ImageWord:
    """A key of ExposedPorts as `80/tcp` or `8000-8010/udp`: port[-port][/proto], and no more than that."""
    numbers, slash, protocol = key.text.partition("/")
    first, dash, last = numbers.partition("-")
    ports = [_port(first), _port(last if dash else first)]
    protocol = protocol.lower() if slash else "tcp"
    if 0 in ports or ports[1] < ports[0] or protocol not in ("tcp", "udp", "sctp"):
        raise InvalidInput(f"the image's EXPOSE '{key.text}' is no port", hint="80, 80/tcp or 8000-8010/udp would be one")
    return ImageWord((str(ports[0]) if ports[0] == ports[1] else f"{ports[0]}-{ports[1]}") + "/" + protocol)


def _words(value: Any) -> tuple[ImageWord, ...]:
    return tuple(ImageWord(word) for word in value or ())


def text(value: Any) -> Any:
    """`value` with U+FFFD for each half of a surrogate pair in its texts, as Go reads them: what has no UTF-8
    can be neither an argument of a program nor printed."""
    if isinstance(value, str):
        if value.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in value):
            return value
        return "".join("\ufffd" if "\ud800" <= letter <= "\udfff" else letter for letter in value)
    if isinstance(value, list):
        return [text(item) for item in value]
    if isinstance(value, dict):
        return {text(key): text(item) for key, item in value.items()}
    return value


def _port(word: str) -> int:
    """The number, 0 for what is none."""
    return int(word) if word.isascii() and word.isdigit() and len(word) <= 5 and int(word) < 65536 else 0


def _string(value: Any, what: str, longest: int) -> None:
    if not isinstance(value, str):
        raise Corrupt(f"{what} is no string")
    if "\0" in value:
        raise Corrupt(f"{what} contains a NUL character")
    if len(value) > longest:
        raise Corrupt(f"{what} is longer than {longest} characters")


def _strings(value: Any, what: str) -> None:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise Corrupt(f"{what} is no list of strings")
    if len(value) > MOST_ENTRIES:
        raise Corrupt(f"{what} has more than {MOST_ENTRIES} entries")
    for item in value:
        _string(item, what, LONGEST_STRING)


def _keys(value: Any, what: str, longest: int) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Corrupt(f"{what} is no object")
    if len(value) > MOST_ENTRIES:
        raise Corrupt(f"{what} has more than {MOST_ENTRIES} entries")
    for key in value:
        _string(key, what, longest)
    return value


def _number(value: Any, what: str) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not -LARGEST_NUMBER <= value <= LARGEST_NUMBER:
        raise Corrupt(f"{what} is no whole number of 64 bits")
