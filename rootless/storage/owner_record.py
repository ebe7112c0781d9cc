"""The owner of a file that has no id of that number here: an attribute, as fuse-overlayfs and Podman write it.

`UID:GID:0MODE`, decimal and octal, with more words for what is no file or directory. Emulated ids (helpers/ids) are read
from it and written to it; `commit`, `save` and `export` write the owners that it has. Pure.
"""

from __future__ import annotations

NAME = "user.containers.override_stat"
_MOST = (1 << 32) - 1  # which is no id


def encode(uid: int, gid: int, mode: int) -> bytes:
    """The attribute's value."""
    return b"%d:%d:0%o" % (uid, gid, mode & 0o7777)


def decode(value: bytes) -> tuple[int, int] | None:
    """The uid and gid; None of what is no such record: anybody may have written it."""
    words = value[:64].split(b":")
    if len(words) < 2 or not all(word.isdigit() and int(word) < _MOST for word in words[:2]):
        return None
    return int(words[0]), int(words[1])
