"""--chown: who owns what is copied. Names are looked up in the passwd and group of the image that is built."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import NamedTuple

from rootless.errors import InvalidInput
from rootless.runtime.process.passwd import MAX_ID, find_user

# Opens the root whose passwd and group count: that of the stage, also where the copy is linked.
UsersRoot = Callable[[], AbstractContextManager[int]]


class Owner(NamedTuple):
    """The owner of all that is copied; None keeps those of the source, as --from does."""

    ids: tuple[int, int] | None

    @property
    def of_parents(self) -> tuple[int, int]:
        """Whose the missing directories above the destination are."""
        return self.ids or (0, 0)


def resolve(chown: str, users_root: UsersRoot, *, keeps_owners: bool) -> Owner:
    """The owner that `--chown` asks for, "" for none: then root, or of an image the file's own.

    `users_root` is only opened where a name has to be looked up. InvalidInput where there is none of that name.
    """
    if not chown:
        return Owner(None if keeps_owners else (0, 0))
    user, colon, group = chown.partition(":")
    # BuildKit takes what is missing on either side of the colon as root.
    user, group = user or "0", (group or "0") if colon else ""
    if _is_number(user) and (_is_number(group) or not group):
        uid = _id(user)
        return Owner((uid, _id(group) if group else uid))
    with users_root() as root_fd:
        found = find_user(f"{user}:{group}" if group else user, root=root_fd)
    # A name alone brings the group that passwd gives it; only a number alone is the group's number, too.
    return Owner((found.uid, found.gid))


def _is_number(word: str) -> bool:
    return word.isascii() and word.isdigit()


def _id(word: str) -> int:
    number = int(word) if len(word) < 12 else MAX_ID + 1
    if number > MAX_ID:
        raise InvalidInput(f"uids and gids must be in range 0-{MAX_ID}: {word}")
    return number
