"""A mount as a container's configuration has it. Pure. Hot path."""

from __future__ import annotations

from rootless.record import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from typing import Any, NotRequired

    from rootless.words import GuestPath


GIVEN = "U"
"""Podman's word among a mount's options: its source is given to the container's user."""

_HEX = frozenset("0123456789abcdef")

class Mount(TypedDict):
    """One mount of a container's record; `source` is a host path (bind, squashfs: a packed tree's name until create) or "" (volume, tmpfs).

    `create_source`: a start makes the directory where it is missing. `recursive`: "writable" or "readonly",
    where --mount says it. `image` is a reference, made an id at create; `subpath` leads to a part of a volume
    or an image. `volume_options` and `volume_labels` are for a volume that is not there yet. `resolve`: what
    is mounted is looked up at each start (files/mount_sources.py), and is `oci` for that start.
    """

    type: str
    source: str
    target: GuestPath
    read_only: bool
    volume: str
    copy_up: bool
    options: list[str]
    create_source: NotRequired[bool]
    recursive: NotRequired[str]
    image: NotRequired[str]
    diff_ids: NotRequired[list[str]]
    subpath: NotRequired[str]
    offset: NotRequired[int]  # of a squashfs in its file, in bytes
    volume_options: NotRequired[dict[str, str]]
    volume_labels: NotRequired[dict[str, str]]
    long: NotRequired[bool]  # written as --mount: `inspect` shows it among Mounts, not Binds
    resolve: NotRequired[bool]
    oci: NotRequired[dict[str, Any]]
    exact: NotRequired[bool]  # for this start: `source` was resolved (files/mounts/bind_sources.py)


def new(kind: str, target: GuestPath) -> Mount:
    """A mount of this kind with nothing asked for yet."""
    return {
        "type": kind,
        "source": "",
        "target": target,
        "read_only": False,
        "volume": "",
        "copy_up": kind == "volume",
        "options": [],
    }


def image_volume(path: GuestPath) -> Mount:
    """The anonymous volume for a VOLUME of an image. No grammar: an image speaks of nothing but its own inside."""
    return new("volume", path)


def is_anonymous(mount: Mount) -> bool:
    """Whether the volume has the name that one without a name is given."""
    return mount["type"] == "volume" and len(mount["volume"]) == 64 and _HEX.issuperset(mount["volume"])
