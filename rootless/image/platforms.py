"""Which of several builds of an image runs here: os/architecture[/variant].

Names as Go and the OCI image index have them (amd64, arm64, arm/v7), accepted also as
uname, Debian and people write them. Standard library only, cheap: `run --platform` parses here.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from rootless.errors import InvalidInput

_ALIASES = {
    "x86_64": ("amd64", ""),
    "x86-64": ("amd64", ""),
    "aarch64": ("arm64", ""),
    "armv8": ("arm64", ""),
    "armv8l": ("arm", "v7"),
    "armhf": ("arm", "v7"),
    "armel": ("arm", "v6"),
    "armv7l": ("arm", "v7"),
    "armv6l": ("arm", "v6"),
    "armv5tel": ("arm", "v5"),
    "i386": ("386", ""),
    "i486": ("386", ""),
    "i586": ("386", ""),
    "i686": ("386", ""),
    "ppc64el": ("ppc64le", ""),
    "loongarch64": ("loong64", ""),
    "mips64el": ("mips64le", ""),
    "mipsel": ("mipsle", ""),
}
# fmt: off
_ARCHITECTURES = frozenset((
    "386", "amd64", "arm", "arm64", "loong64", "mips", "mipsle", "mips64", "mips64le",
    "ppc64", "ppc64le", "riscv64", "s390x", "wasm",
))
# fmt: on
_DEBIAN = {"386": "i386", "ppc64le": "ppc64el", "mipsle": "mipsel", "mips64le": "mips64el"}


class Platform(NamedTuple):
    """An operating system, an architecture and its variant ("" where it has none)."""

    os: str
    architecture: str
    variant: str = ""

    def __str__(self) -> str:
        return "/".join(part for part in self if part)


def host() -> Platform:
    """The platform of this machine."""
    return _normalised(os.uname().machine, "")


def parse(text: str) -> Platform:
    """`linux/arm64/v8`, `arm64`, `linux`, `x86_64`: what is not said is the host's.

    Raises InvalidInput with what it may look like.
    """
    parts = text.lower().split("/")
    if not 1 <= len(parts) <= 3 or not all(part.isascii() and part.isprintable() and part for part in parts):
        raise InvalidInput(
            f"invalid platform {text!r}", hint="write os/architecture[/variant], like linux/arm64"
        )
    if len(parts) == 1:
        if parts[0] == "linux":
            return host()
        platform = _normalised(parts[0], "")
    else:
        platform = _normalised(parts[1], parts[2] if len(parts) == 3 else "")
        platform = platform._replace(os=parts[0])
    if platform.architecture not in _ARCHITECTURES:
        known = ", ".join(sorted(_ARCHITECTURES))
        raise InvalidInput(
            f"unknown architecture {platform.architecture!r} in {text!r}", hint=f"known: {known}"
        )
    return platform


def of(platform: Mapping[str, Any] | None) -> Platform:
    """The platform a descriptor or an image configuration names; hostile input comes out as text."""
    fields = platform or {}

    def text(key: str) -> str:
        value = fields.get(key)
        return value.lower() if isinstance(value, str) else ""

    return _normalised(text("architecture"), text("variant"))._replace(os=text("os") or "linux")


def select(available: Iterable[Platform], wanted: Platform) -> int | None:
    """Index of the best of `available` for `wanted`, or None.

    An older variant of the same architecture runs on a newer one, never the reverse;
    of equally good ones the first wins, as the OCI image index says.
    """
    best: tuple[int, int] | None = None
    for index, candidate in enumerate(available):
        score = _score(candidate, wanted)
        if score is not None and (best is None or score > best[0]):
            best = (score, index)
    return None if best is None else best[1]


def debian_architecture(platform: Platform) -> str:
    """Debian's name of the architecture, for mmdebstrap: `arm/v7` is armhf."""
    if platform.architecture == "arm":
        return "armel" if platform.variant in ("v5", "v6") else "armhf"
    return _DEBIAN.get(platform.architecture, platform.architecture)


def _normalised(architecture: str, variant: str) -> Platform:
    architecture, implied = _ALIASES.get(architecture, (architecture, ""))
    variant = variant or implied
    if variant and variant[0].isdigit():
        variant = "v" + variant
    if architecture == "arm" and not variant:
        variant = "v7"
    # These are what the architecture means without a variant.
    if (architecture, variant) in (("arm64", "v8"), ("arm64", "v8.0"), ("amd64", "v1")):
        variant = ""
    return Platform("linux", architecture, variant)


def _level(platform: Platform) -> int | None:
    """The variant as a number; None where it is none."""
    if not platform.variant:
        return {"arm64": 8, "amd64": 1}.get(platform.architecture, 0)
    number = platform.variant.removeprefix("v").split(".")[0]
    return int(number) if number.isascii() and number.isdigit() and len(number) < 4 else None


def _score(candidate: Platform, wanted: Platform) -> int | None:
    if (candidate.os, candidate.architecture) != (wanted.os, wanted.architecture):
        return None
    if candidate.variant == wanted.variant:
        return 1_000_000
    offered, able = _level(candidate), _level(wanted)
    if offered is None or able is None or offered > able:
        return None
    return offered
