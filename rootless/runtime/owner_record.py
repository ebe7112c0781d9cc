"""The owner of a file that has no id of that number here: an attribute, as fuse-overlayfs and Podman write it.

`UID:GID:0MODE`, decimal and octal, with more words for what is no file or directory. Emulated ids (helpers/ids) are read
from it and written to it; `commit`, `save` and `export` write the owners that it has. Pure. Hot path.
"""

from __future__ import annotations

NAME = "user.containers.override_stat"
MANY_BYTES = 16384 * 64
"""Of records in the file beside a container (owner_file.py): half of what the program keeps, and all that the image's links may take."""
_MOST = (1 << 32) - 1  # which is no id


def encode(uid: int, gid: int, mode: int) -> bytes:
    """The attribute's value."""
    return b"%d:%d:0%o" % (uid, gid, mode & 0o7777)


def decode(value: str, uid: int, gid: int) -> tuple[int, int] | None:
    """The uid and gid that the record of a file of `uid` and `gid` names; None of what is no record, or not believed.

    All that a container with emulated ids makes is its one id's, root's. Elsewhere a user may write what he likes into the
    attributes of his own files, and would have root's programs of them.
    """
    words = value[:64].split(":")
    if len(words) < 2 or not all(word.isascii() and word.isdigit() for word in words[:2]):
        return None
    return believed(int(words[0]), int(words[1]), uid, gid)


def believed(recorded_uid: int, recorded_gid: int, uid: int, gid: int) -> tuple[int, int] | None:
    """The owner that a record names, if it is one and the file of `uid` and `gid` is one of whose it is believed."""
    return (recorded_uid, recorded_gid) if (uid, gid) == (0, 0) and max(recorded_uid, recorded_gid) < _MOST else None
