"""--annotation and `annotation.KEY=VALUE` of an output: notes in an image's manifest, or in the index of several. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from rootless.build.output.requested import Output
from rootless.errors import InvalidInput, NotSupported
from rootless.image import platforms

_KINDS = ("manifest", "index")
_DESCRIPTORS = ("manifest-descriptor", "index-descriptor")


class Annotations(NamedTuple):
    """`of_manifest`: (platform or "", key, value) in the order given; the last of a key wins."""

    of_manifest: tuple[tuple[str, str, str], ...]
    of_index: dict[str, str]

    def manifest(self, platform: str) -> dict[str, str]:
        """Those of the image for `platform`."""
        wanted = platforms.parse(platform)
        return {key: value for where, key, value in self.of_manifest if not where or platforms.parse(where) == wanted}


def parse(words: Sequence[str], outputs: Sequence[Output], *, several: bool) -> Annotations:
    """`[KIND[PLATFORM][,KIND]:]KEY=VALUE` as buildx has it. InvalidInput for what is none; NotSupported for those of
    descriptors, and of an index where one platform is built and there is none."""
    given = [_split(word) for word in words]
    for output in outputs:
        for name, value in output.attributes.items():
            kind, dot, key = name.partition(".")
            if dot and kind.partition("[")[0].startswith("annotation"):
                given.append((kind.removeprefix("annotation").removeprefix("-") or "manifest", key, value))
    of_manifest: list[tuple[str, str, str]] = []
    of_index: dict[str, str] = {}
    for kinds, key, value in given:
        for word in kinds.split(","):
            kind, bracket, platform = word.partition("[")
            if kind in _DESCRIPTORS:
                raise NotSupported(f"annotations of a {kind} are not supported", hint="manifest: or index: in its place")
            if kind not in (*_KINDS, "") or (bracket and platform[-1:] != "]"):
                raise InvalidInput(f"unknown annotation type {word!r}", hint="manifest, manifest[PLATFORM] or index")
            if kind == "index" and not several:
                raise NotSupported(f"the annotation {key} is of an index, and one platform has none", hint="manifest: in its place")
            if kind == "index":
                of_index[key] = value
            else:
                of_manifest.append((platform.removesuffix("]"), key, value))
    return Annotations(tuple(of_manifest), of_index)


def _split(word: str) -> tuple[str, str, str]:
    text, equals, value = word.partition("=")
    kinds, colon, key = text.rpartition(":")
    # A key may have a colon of its own: only known words before one are kinds.
    if colon and not all(kind.partition("[")[0] in (*_KINDS, *_DESCRIPTORS) for kind in kinds.split(",")):
        kinds, key = "", text
    if not equals or not key:
        raise InvalidInput(f"invalid annotation {word!r}, expected key=value")
    return kinds or "manifest", key, value
