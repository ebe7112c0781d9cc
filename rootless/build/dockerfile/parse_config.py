"""Instructions that only edit the image's configuration, and ARG."""

from __future__ import annotations

from collections.abc import Callable

from rootless.build.dockerfile.error import DockerfileError
from rootless.build.dockerfile.flags import Flags
from rootless.build.dockerfile.instructions import (
    Arg,
    Cmd,
    Entrypoint,
    Env,
    Expose,
    Healthcheck,
    Instruction,
    Label,
    Maintainer,
    Onbuild,
    Shell,
    Stopsignal,
    User,
    Volume,
    Workdir,
)
from rootless.build.dockerfile.parsing import Parsing, command
from rootless.build.dockerfile.quantities import integer, nanoseconds
from rootless.build.dockerfile.words import (
    json_words,
    quoted_words,
    split_blanks,
    split_instruction,
    split_once,
)


def _arg(parsing: Parsing) -> Arg:
    parsing.flags_of()
    found: list[tuple[str, str | None]] = []
    for word in quoted_words(parsing.some(), parsing.escape):
        name, equals, value = word.partition("=")
        if not name:
            raise DockerfileError("ARG names can not be blank")
        found.append((name, value if equals else None))
    if not found:
        raise DockerfileError("ARG requires at least one argument")
    return Arg(parsing.origin, tuple(found))


def _pairs(parsing: Parsing) -> tuple[tuple[tuple[str, str], ...], bool]:
    """`NAME=value ...`, or the old form `NAME the rest of the line`."""
    parsing.flags_of()
    words = quoted_words(parsing.some(), parsing.escape)
    if words and "=" not in words[0]:
        name, rest = split_once(parsing.rest)
        if not rest:
            raise DockerfileError(f"{parsing.name} must have two arguments", first=parsing.origin.first)
        return ((name, rest),), True
    found: list[tuple[str, str]] = []
    for word in words:
        name, equals, value = word.partition("=")
        if not equals:
            message = f'Syntax error - can\'t find = in "{word}". Must be of the form: name=value'
            raise DockerfileError(message, first=parsing.origin.first)
        if not name:
            raise DockerfileError(f"{parsing.name} names can not be blank")
        found.append((name, value))
    if not found:
        raise DockerfileError(f"{parsing.name} requires at least one argument")
    return tuple(found), False


def _env(parsing: Parsing) -> Env:
    pairs, legacy = _pairs(parsing)
    return Env(parsing.origin, pairs, legacy)


def _label(parsing: Parsing) -> Label:
    pairs, legacy = _pairs(parsing)
    return Label(parsing.origin, pairs, legacy)


def _maintainer(parsing: Parsing) -> Maintainer:
    return Maintainer(parsing.origin, parsing.one())


def _workdir(parsing: Parsing) -> Workdir:
    return Workdir(parsing.origin, parsing.one())


def _user(parsing: Parsing) -> User:
    return User(parsing.origin, parsing.one())


def _stopsignal(parsing: Parsing) -> Stopsignal:
    return Stopsignal(parsing.origin, parsing.one())


def _cmd(parsing: Parsing) -> Cmd:
    parsing.flags_of()
    return Cmd(parsing.origin, command(parsing.rest))


def _entrypoint(parsing: Parsing) -> Entrypoint:
    parsing.flags_of()
    return Entrypoint(parsing.origin, command(parsing.rest))


def _shell(parsing: Parsing) -> Shell:
    parsing.flags_of()
    words = json_words(parsing.some())
    if words is None:
        raise DockerfileError("SHELL requires the arguments to be in JSON form")
    if not words:
        raise DockerfileError("SHELL requires at least one argument")
    return Shell(parsing.origin, tuple(words))


def _expose(parsing: Parsing) -> Expose:
    parsing.flags_of()
    return Expose(parsing.origin, tuple(sorted(split_blanks(parsing.some()))))


def _volume(parsing: Parsing) -> Volume:
    parsing.flags_of()
    words = json_words(parsing.some())
    paths = tuple(path.strip() for path in (split_blanks(parsing.rest) if words is None else words))
    if not paths:
        raise DockerfileError("VOLUME requires at least one argument")
    if not all(paths):
        raise DockerfileError("VOLUME specified can not be an empty string")
    return Volume(parsing.origin, paths)


_TIMES = ("interval", "timeout", "start-period", "start-interval")
_SHORTEST_NS = 1_000_000


def _healthcheck(parsing: Parsing) -> Healthcheck:
    kind, rest = split_once(parsing.some())
    kind = kind.upper()
    if kind == "NONE":
        if rest:
            raise DockerfileError("HEALTHCHECK NONE takes no arguments")
        return Healthcheck(parsing.origin, ("NONE",))
    flags = parsing.flags_of(text=(*_TIMES, "retries"))
    if kind != "CMD":
        raise DockerfileError(f'Unknown type "{kind}" in HEALTHCHECK (try CMD)')
    words = json_words(rest)
    if not (rest if words is None else words):
        raise DockerfileError("Missing command after HEALTHCHECK CMD")
    test = ("CMD-SHELL", rest) if words is None else ("CMD", *words)
    interval, timeout, start_period, start_interval = (_time(flags, name) for name in _TIMES)
    retries = _retries(flags.text("retries"))
    return Healthcheck(parsing.origin, test, interval, timeout, start_period, start_interval, retries)


def _time(flags: Flags, name: str) -> int:
    if not flags.text(name):
        return 0
    found = nanoseconds(flags.text(name))
    if found and found < _SHORTEST_NS:
        raise DockerfileError(f'Interval "{name}" cannot be less than 1ms')
    return found


def _retries(text: str) -> int:
    if not text:
        return 0
    number = integer(text.removeprefix("-"), bits=31)
    if number is None:
        raise DockerfileError(f'strconv.ParseInt: parsing "{text[:40]}": invalid syntax')
    if text.startswith("-") and number:
        raise DockerfileError(f"--retries cannot be negative ({text})")
    return number


def _onbuild(parsing: Parsing) -> Onbuild:
    parsing.flags_of()
    word, _, rest = split_instruction(parsing.some())
    if word.upper() == "ONBUILD":
        raise DockerfileError("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed")
    if word.upper() in ("MAINTAINER", "FROM"):
        raise DockerfileError(f"{word.upper()} isn't allowed as an ONBUILD trigger")
    if word.lower() in ("env", "label") and rest:
        _pairs(parsing._replace(rest=rest, flags=(), origin=parsing.origin._replace(keyword=word)))
    documents = "".join(f"\n{document.content}{document.name}" for document in parsing.heredocs)
    return Onbuild(parsing.origin, parsing.rest + documents)


PARSERS: dict[str, Callable[[Parsing], Instruction]] = {
    "arg": _arg,
    "cmd": _cmd,
    "entrypoint": _entrypoint,
    "env": _env,
    "expose": _expose,
    "healthcheck": _healthcheck,
    "label": _label,
    "maintainer": _maintainer,
    "onbuild": _onbuild,
    "shell": _shell,
    "stopsignal": _stopsignal,
    "user": _user,
    "volume": _volume,
    "workdir": _workdir,
}
