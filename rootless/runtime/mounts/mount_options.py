"""A mount's option words (mount(8), OCI config.md "mounts") as flags and data; pure. Hot path."""

from __future__ import annotations

from rootless.linux import mount as m
from rootless.record import TYPE_CHECKING, Record

if TYPE_CHECKING:
    from typing import Any

    # Which field of MountOptions, the bits that are set in it, the bits that are cleared before.
    Change = tuple[str, int, int]

# word, its opposite, MS_ flag, MOUNT_ATTR_ flag
_ATTRIBUTES = (
    ("ro", "rw", m.MS_RDONLY, m.MOUNT_ATTR_RDONLY),
    ("nosuid", "suid", m.MS_NOSUID, m.MOUNT_ATTR_NOSUID),
    ("nodev", "dev", m.MS_NODEV, m.MOUNT_ATTR_NODEV),
    ("noexec", "exec", m.MS_NOEXEC, m.MOUNT_ATTR_NOEXEC),
    ("nodiratime", "diratime", m.MS_NODIRATIME, m.MOUNT_ATTR_NODIRATIME),
    ("nosymfollow", "symfollow", m.MS_NOSYMFOLLOW, m.MOUNT_ATTR_NOSYMFOLLOW),
)
# Not bits but one number of the attributes: each takes the place of the others.
_ATIME = (
    ("noatime", m.MS_NOATIME, m.MOUNT_ATTR_NOATIME),
    ("strictatime", m.MS_STRICTATIME, m.MOUNT_ATTR_STRICTATIME),
    ("relatime", m.MS_RELATIME, m.MOUNT_ATTR_RELATIME),
)
_SUPERBLOCK = (
    ("sync", m.MS_SYNCHRONOUS),
    ("dirsync", m.MS_DIRSYNC),
    ("lazytime", m.MS_LAZYTIME),
    ("mand", m.MS_MANDLOCK),
    ("iversion", m.MS_I_VERSION),
    ("silent", m.MS_SILENT),
    ("remount", m.MS_REMOUNT),
)
_PROPAGATION = (
    ("private", m.MS_PRIVATE),
    ("slave", m.MS_SLAVE),
    ("shared", m.MS_SHARED),
    ("unbindable", m.MS_UNBINDABLE),
)
# Words that mean nothing here: defaults, labels nobody enforces in a user namespace, hints.
_IGNORED = frozenset(
    (
        "defaults",
        "async",
        "atime",
        "loud",
        "nomand",
        "noiversion",
        "nolazytime",
        "norelatime",
        "nostrictatime",
        "ratime",
        "rnorelatime",
        "rnostrictatime",
        "copyup",
        "notmpcopyup",
        "nocopy",
    )
)


def _bits() -> dict[str, tuple[Change, ...]]:
    """The words that change bits. "r" before one: also of the mounts below a bind; a new file system, which
    has none below it, takes it as its own."""
    table: dict[str, tuple[Change, ...]] = {}
    for word, opposite, flag, attr in _ATTRIBUTES:
        table[word] = (("flags", flag, 0), ("attr", attr, 0))
        table[opposite] = (("flags", 0, flag), ("attr", 0, attr))
        table[f"r{word}"] = (("flags", flag, 0), ("recursive_attr", attr, 0))
        table[f"r{opposite}"] = (("flags", 0, flag),)  # of a bind: what the source has already
    for word, flag, attr in _ATIME:
        every = m.MOUNT_ATTR__ATIME
        table[word] = (("flags", flag, 0), ("attr", attr, every), ("clear_attr", every, 0))
        table[f"r{word}"] = (
            ("flags", flag, 0),
            ("recursive_attr", attr, every),
            ("recursive_clear_attr", every, 0),
        )
    for word, flag in _SUPERBLOCK:
        table[word] = (("flags", flag, 0),)
    return table


def _values() -> dict[str, dict[str, Any]]:
    """The words that give fields a value, the last one counts."""
    table: dict[str, dict[str, Any]] = {
        "bind": {"bind": True, "recursive": False},
        "rbind": {"bind": True, "recursive": True},
        "idmap": {"idmap": "idmap"},
        "ridmap": {"idmap": "ridmap"},
        "tmpcopyup": {"copy_up": True},
    }
    for word, flag in _PROPAGATION:
        table[word] = {"propagation": flag, "propagation_recursive": False}
        table[f"r{word}"] = {"propagation": flag, "propagation_recursive": True}
    return table


_BITS, _VALUES = _bits(), _values()

KNOWN_WORDS = _IGNORED.union(_BITS, _VALUES)
"""All words that are ours to understand; others are the file system's."""


class MountOptions(Record):
    """What the words of one mount ask for. `*attr` are MOUNT_ATTR_ bits for binds, `flags` MS_ bits for
    filesystems. Attributes are only ever added to a bind: what its source lacks (rw, suid, dev) a user
    namespace cannot give back."""

    bind: bool = False
    recursive: bool = False
    flags: int = 0
    attr: int = 0
    clear_attr: int = 0
    recursive_attr: int = 0  # of the mounts below a bind too ("rro")
    recursive_clear_attr: int = 0
    propagation: int = 0
    propagation_recursive: bool = False
    data: str = ""
    copy_up: bool = False
    idmap: str = ""  # "idmap", or "ridmap" for the mounts below too


def parse_options(words: list[str]) -> MountOptions:
    """The words of one mount; those we do not know are `data`, the file system's own."""
    fields: dict[str, Any] = {}
    data: list[str] = []
    for word in words:
        if word in _BITS:
            for field, bits, clears in _BITS[word]:
                fields[field] = fields.get(field, 0) & ~clears | bits
        elif word in _VALUES:
            fields.update(_VALUES[word])
        elif word not in _IGNORED:
            data.append(word)
    return MountOptions(**fields, data=",".join(data))
