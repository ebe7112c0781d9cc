"""-o: what is to come of a build. Pure."""

from __future__ import annotations

from typing import NamedTuple

from rootless.build.csv_words import fields, words
from rootless.errors import InvalidInput, NotSupported

TYPES = ("image", "registry", "local", "tar", "oci", "docker", "cacheonly")


class Output(NamedTuple):
    """One -o. `dest` is a path, "-" stdout; `attributes` what else was said (name, push, compression, ...)."""

    type: str
    dest: str = ""
    attributes: dict[str, str] = {}


def parse(word: str) -> Output:
    """One -o word: `type=TYPE[,dest=PATH][,key=value]`, a directory's path, or `-` for a tar on stdout."""
    parts = words(word)
    if len(parts) == 1 and "=" not in parts[0]:
        return Output("tar", "-") if parts[0] == "-" else Output("local", parts[0])
    found = dict(fields(word))
    kind, dest = found.pop("type", ""), found.pop("dest", found.pop("destination", ""))
    if not kind:
        raise InvalidInput(f"type is required for output: {word}", hint=f"type=TYPE, one of {', '.join(TYPES)}")
    if kind not in TYPES:
        raise NotSupported(f'output type "{kind}" is not supported', hint=f"one of {', '.join(TYPES)}")
    if kind == "local" and dest in ("", "-"):
        raise InvalidInput("dest is required for local output", hint="type=local,dest=DIRECTORY")
    if kind in ("tar", "oci") and not dest:
        dest = "-"
    return Output(kind, dest, found)
