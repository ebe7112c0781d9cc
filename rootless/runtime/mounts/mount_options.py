"""A mount's option words (mount(8), OCI config.md "mounts") as flags and data; pure. HOT."""

from __future__ import annotations

from rootless.linux import mount as m
from rootless.record import Record

# word -> (MS_ flag, MOUNT_ATTR_ flag); "no" opposites clear both.
_SET = {
    "ro": (m.MS_RDONLY, m.MOUNT_ATTR_RDONLY),
    "nosuid": (m.MS_NOSUID, m.MOUNT_ATTR_NOSUID),
    "nodev": (m.MS_NODEV, m.MOUNT_ATTR_NODEV),
    "noexec": (m.MS_NOEXEC, m.MOUNT_ATTR_NOEXEC),
    "nodiratime": (m.MS_NODIRATIME, m.MOUNT_ATTR_NODIRATIME),
    "nosymfollow": (m.MS_NOSYMFOLLOW, m.MOUNT_ATTR_NOSYMFOLLOW),
}
_CLEAR = {
    "rw": "ro",
    "suid": "nosuid",
    "dev": "nodev",
    "exec": "noexec",
    "diratime": "nodiratime",
    "symfollow": "nosymfollow",
}
_ATIME = {
    "noatime": (m.MS_NOATIME, m.MOUNT_ATTR_NOATIME),
    "strictatime": (m.MS_STRICTATIME, m.MOUNT_ATTR_STRICTATIME),
    "relatime": (m.MS_RELATIME, m.MOUNT_ATTR_RELATIME),
}
_SUPERBLOCK = {
    "sync": m.MS_SYNCHRONOUS,
    "dirsync": m.MS_DIRSYNC,
    "lazytime": m.MS_LAZYTIME,
    "mand": m.MS_MANDLOCK,
    "iversion": m.MS_I_VERSION,
    "silent": m.MS_SILENT,
    "remount": m.MS_REMOUNT,
}
_PROPAGATION = {
    "private": m.MS_PRIVATE,
    "slave": m.MS_SLAVE,
    "shared": m.MS_SHARED,
    "unbindable": m.MS_UNBINDABLE,
}
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

# All words that are ours to understand; others are the file system's.
KNOWN_WORDS = frozenset(
    (
        "bind",
        "rbind",
        "idmap",
        "ridmap",
        "tmpcopyup",
        *_SET,
        *_CLEAR,
        *_ATIME,
        *_SUPERBLOCK,
        *_PROPAGATION,
        *(f"r{word}" for word in (*_SET, *_CLEAR, *_ATIME, *_PROPAGATION)),
        *_IGNORED,
    )
)


class MountOptions(Record):
    """What the words ask for. `*_attr` are MOUNT_ATTR_ bits for binds, `flags` MS_ bits for
    filesystems; `recursive_attr` covers the mounts below a bind too ("rro"), and a new file system, which has
    none below it, has those words in `flags`. Attributes are only ever added to a bind: what its source
    lacks (rw, suid, dev) a user namespace cannot give back."""

    bind: bool = False
    recursive: bool = False
    flags: int = 0
    attr: int = 0
    clear_attr: int = 0
    recursive_attr: int = 0
    recursive_clear_attr: int = 0
    propagation: int = 0
    propagation_recursive: bool = False
    data: str = ""
    copy_up: bool = False
    idmap: str = ""  # "idmap", or "ridmap" for the mounts below too


def parse_options(words: list[str], *, guest_path: str = "") -> MountOptions:
    """The words of one mount; InvalidInput for what a rootless mount cannot have."""
    bind = recursive = propagation_recursive = False
    flags = attr = clear = recursive_attr = recursive_clear = propagation = 0
    data: list[str] = []
    copy_up, idmap = False, ""
    for word in words:
        stem = word[1:] if word.startswith("r") and word[1:] else ""
        if word in ("bind", "rbind"):
            bind, recursive = True, word == "rbind"
        elif word in _SET:
            flags |= _SET[word][0]
            attr |= _SET[word][1]
        elif word in _CLEAR:
            flags &= ~_SET[_CLEAR[word]][0]
            attr &= ~_SET[_CLEAR[word]][1]
        elif word in _ATIME:
            flags |= _ATIME[word][0]
            attr = attr & ~m.MOUNT_ATTR__ATIME | _ATIME[word][1]
            clear |= m.MOUNT_ATTR__ATIME
        elif word in _SUPERBLOCK:
            flags |= _SUPERBLOCK[word]
        elif word in _PROPAGATION or stem in _PROPAGATION:
            propagation_recursive = word not in _PROPAGATION
            propagation = _PROPAGATION[stem if propagation_recursive else word]
        elif stem in _SET:
            flags |= _SET[stem][0]
            recursive_attr |= _SET[stem][1]
        elif stem in _CLEAR:
            flags &= ~_SET[_CLEAR[stem]][0]  # of a bind: what the source has already
        elif stem in _ATIME:
            flags |= _ATIME[stem][0]
            recursive_attr = recursive_attr & ~m.MOUNT_ATTR__ATIME | _ATIME[stem][1]
            recursive_clear |= m.MOUNT_ATTR__ATIME
        elif word in _IGNORED:
            pass
        elif word in ("idmap", "ridmap"):
            idmap = word
        elif word == "tmpcopyup":
            copy_up = True
        else:
            data.append(word)
    return MountOptions(
        bind,
        recursive,
        flags,
        attr,
        clear,
        recursive_attr,
        recursive_clear,
        propagation,
        propagation_recursive,
        ",".join(data),
        copy_up,
        idmap,
    )
