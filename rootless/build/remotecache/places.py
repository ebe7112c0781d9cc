"""--cache-to and --cache-from: where a cache goes, and where one is looked for. Pure."""

from __future__ import annotations

from typing import NamedTuple

from rootless.build.csv_words import fields, words
from rootless.errors import InvalidInput, NotSupported

_ELSEWHERE = ("gha", "s3", "azblob")
_FORMS = ("gzip", "zstd", "uncompressed")
_LEVELS = {"gzip": 9, "zstd": 22}


class Place(NamedTuple):
    """One word. `where` is a reference of a registry or a directory's path; `type` is registry, local or inline."""

    type: str
    where: str = ""
    tag: str = "latest"
    digest: str = ""
    every_stage: bool = False  # mode=max
    form: str = ""
    level: int | None = None
    every_layer_anew: bool = False  # force-compression
    docker_types: bool = False
    reset: bool = False
    may_fail: bool = False


def parse(option: str, word: str) -> Place | None:
    """What the word of `option` (--cache-from or --cache-to) asks for; None where it is of a service that only other
    builders reach. InvalidInput, NotSupported."""
    if len(words(word)) == 1 and "=" not in word:
        return Place("registry", word)
    given = dict(fields(word))
    kind = given.get("type", "registry")
    if kind in _ELSEWHERE:
        return None
    if kind not in ("registry", "local", "inline"):
        raise NotSupported(f"unknown cache {'exporter' if option == '--cache-to' else 'importer'}: {kind!r}",
                           hint="registry, local or inline")  # fmt: skip
    needed = {"registry": "ref", "local": "dest" if option == "--cache-to" else "src", "inline": ""}[kind]
    if needed and not given.get(needed):
        raise InvalidInput(f"{option}: type={kind} wants {needed}=", hint=f"{option} type={kind},{needed}=...")
    mode = given.get("mode", "min")
    if mode not in ("min", "max"):
        raise InvalidInput(f"{option}: mode is min or max, not {mode!r}")
    form = given.get("compression", "")
    if form and form not in _FORMS:
        raise NotSupported(f"{option}: unsupported compression {form!r}", hint=f"one of {', '.join(_FORMS)}")
    return Place(
        kind,
        given.get(needed, ""),
        given.get("tag") or "latest",
        given.get("digest", ""),
        mode == "max",
        form,
        _level(option, form or "gzip", given.get("compression-level", "")),
        _truth(given, "force-compression"),
        given.get("oci-mediatypes") == "false",
        _truth(given, "reset"),
        _truth(given, "ignore-error"),
    )


def _truth(given: dict[str, str], name: str) -> bool:
    return name in given and given[name] not in ("false", "0")


def _level(option: str, form: str, word: str) -> int | None:
    if not word:
        return None
    if not (word.isascii() and word.isdigit() and int(word) <= _LEVELS.get(form, 0)):
        raise InvalidInput(f"{option}: {word!r} is no compression-level of {form}")
    return int(word)
