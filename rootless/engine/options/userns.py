"""The words of --userns, as Podman's. Pure. Hot path."""

from __future__ import annotations

from rootless.errors import InvalidInput
from rootless.record import TypedDict

Extent = list[int]


class IdMap(TypedDict):
    """The uid and gid maps of a container."""

    uid: list[Extent]
    gid: list[Extent]


def parse(word: str) -> tuple[str, dict[str, int]]:
    """(mode, options) of --userns; InvalidInput for what Podman has no word for."""
    mode, _, rest = word.partition(":")
    allowed = {
        "": (),
        "host": (),
        "private": (),
        "nomap": (),
        "keep-id": ("uid", "gid"),
        "auto": ("size",),
    }.get(mode)
    if allowed is None:
        raise InvalidInput(
            f"--userns: invalid USER mode: {word}", hint="auto[:size=N], keep-id[:uid=N,gid=N], nomap or host"
        )
    options = {}
    for part in rest.split(",") if rest else ():
        key, _, value = part.partition("=")
        if key not in allowed or not value.isdecimal() or int(value) >= 1 << 31:
            raise InvalidInput(f"--userns={mode}: invalid option {part!r}")
        options[key] = int(value)
    return mode, options


def default_user(word: str, uid: int, gid: int) -> str:
    """The user of a container without --user: with keep-id the caller, as Podman's; else "", the image's."""
    mode, options = parse(word)
    return f"{options.get('uid', uid)}:{options.get('gid', gid)}" if mode == "keep-id" else ""
