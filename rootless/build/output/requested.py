"""-o: what is to come of a build. Pure."""

from __future__ import annotations

from typing import NamedTuple

from rootless.build.csv_words import fields, words
from rootless.errors import InvalidInput, NotSupported

TYPES = ("image", "registry", "local", "tar", "oci", "docker", "cacheonly")

# Attributes that something comes of, and those that ask for what is so anyway or could not be seen.
_KNOWN = frozenset(
    "compression compression-level mode name oci-mediatypes push push-by-digest rewrite-timestamp tar".split()
)
_HARMLESS = frozenset("dangling-name-prefix force-compression name-canonical oci-artifact store unpack".split())


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
    _check(found)
    if kind in ("tar", "oci") and not dest:
        dest = "-"
    return Output(kind, dest, found)


def _check(attributes: dict[str, str]) -> None:
    for name, value in attributes.items():
        if name.startswith("annotation"):
            continue  # annotations.py's
        if name not in _KNOWN and name not in _HARMLESS:
            raise InvalidInput(f"unknown attribute {name!r} of an output", hint=f"one of {', '.join(sorted(_KNOWN | _HARMLESS))}")
        if name == "push-by-digest" and value not in ("", "false"):
            raise NotSupported("push-by-digest is not supported", hint="push a name; --metadata-file has the digest")
        if name == "mode" and value not in ("", "copy"):
            raise NotSupported(f"mode={value} of an output is not supported", hint="empty the directory before the build")
        if name == "compression" and value not in ("", "gzip", "zstd", "uncompressed"):
            raise NotSupported(f"compression {value} is not supported", hint="gzip, zstd or uncompressed")
