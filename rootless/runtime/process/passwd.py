"""Who `--user` means inside an image: /etc/passwd and /etc/group read as untrusted text.

Called in the container's own root, after pivot_root (or setns), so that a link in the image
can only lead to a file of the image. passwd(5), group(5); rules and wording as Docker's. Hot path.
"""

from __future__ import annotations

import errno
import os
import stat

from rootless.errors import InvalidInput, RootlessError
from rootless.record import Record
from rootless.runtime.rootfs_path import open_in_root

# A passwd file is small; an image that brings gigabytes wants to exhaust our memory.
LIMIT_BYTES = 4 << 20
MAX_ID = (1 << 32) - 2
_FAILED = frozenset((errno.EIO, errno.ESTALE, errno.ENOTCONN, errno.EUCLEAN))
"""What a damaged image file, or a network file system, says of a file that is there."""


class User(Record):
    """Numeric identity, and the home directory for HOME. `keeps_groups`: besides, the supplementary groups of
    who started the container, which in it have no number. `groups_asked`: they are not only what the image's /etc/group says."""

    uid: int
    gid: int
    groups: tuple[int, ...]
    home: str
    keeps_groups: bool = False
    groups_asked: bool = True


class PasswdAccount(Record):
    """A line of passwd(5), as far as it matters."""

    name: str
    uid: int
    gid: int
    home: str


class Group(Record):
    """A line of group(5)."""

    name: str
    gid: int
    members: frozenset[str]


def find_user(spec: str, group_add: tuple[str, ...] = (), *, root: str | int = "/") -> User:
    """The user of `spec` ("", name, uid, name:group, uid:gid); raises InvalidInput where there is none.
    `root`: from outside, a descriptor of the container's root, which no link leads out of."""
    accounts = _accounts(_read(root, "etc/passwd"))
    wanted, colon, wanted_group = spec.partition(":")
    account = _find_account(wanted or "0", accounts)
    needs_groups = bool(wanted_group) or bool(group_add) or bool(account.name)
    groups = _groups(_read(root, "etc/group")) if needs_groups else []
    gid, extra = account.gid, [g.gid for g in groups if account.name and account.name in g.members]
    if colon and wanted_group:
        gid, extra = _find_group(wanted_group, groups), []
    extra += [_find_group(word, groups) for word in group_add]
    return User(account.uid, gid, tuple(dict.fromkeys(extra)), account.home or "/", groups_asked=bool(group_add))


def _find_account(wanted: str, accounts: list[PasswdAccount]) -> PasswdAccount:
    # A number is never a name: an image's line "1000:x:0:0" would make root of `--user 1000` (CVE-2016-3697).
    if not (wanted.isascii() and wanted.isdigit()):
        for account in accounts:
            if account.name == wanted:
                return account
        raise InvalidInput(f"unable to find user {wanted}: no matching entries in passwd file")
    uid = _number(wanted)
    for account in accounts:
        if account.uid == uid:
            return account
    return PasswdAccount("", uid, 0, "/root" if uid == 0 else "/")


def _find_group(wanted: str, groups: list[Group]) -> int:
    if not (wanted.isascii() and wanted.isdigit()):
        for group in groups:
            if group.name == wanted:
                return group.gid
        raise InvalidInput(f"unable to find group {wanted}: no matching entries in group file")
    return _number(wanted)


def _number(word: str) -> int:
    number = int(word) if len(word) < 12 else MAX_ID + 1
    if number > MAX_ID:
        raise InvalidInput(f"uids and gids must be in range 0-{MAX_ID}: {word}")
    return number


def _is_id(word: str) -> bool:
    """Whether the kernel has such an id: a line with a number beyond that is ignored."""
    return word.isascii() and word.isdigit() and len(word) < 12 and int(word) <= MAX_ID


def _accounts(text: str) -> list[PasswdAccount]:
    found = []
    for line in text.splitlines():
        fields = line.split(":")
        if len(fields) >= 4 and _is_id(fields[2]) and _is_id(fields[3]) and len(line) < 4096:
            home = fields[5] if len(fields) > 5 else ""
            found.append(PasswdAccount(fields[0], int(fields[2]), int(fields[3]), home))
    return found


def _groups(text: str) -> list[Group]:
    found = []
    for line in text.splitlines():
        fields = line.split(":")
        if len(fields) >= 3 and _is_id(fields[2]):
            members = frozenset(fields[3].split(",")) if len(fields) > 3 else frozenset()
            found.append(Group(fields[0], int(fields[2]), members - {""}))
    return found


def _read(root: str | int, path: str) -> str:
    """The text of an image's file; "" where it is missing, no regular file, or too large. RootlessError where the
    file system that it is on fails."""
    try:
        # O_NONBLOCK: a FIFO in its place must not hang us.
        flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
        fd = os.open(os.path.join(root, path), flags) if isinstance(root, str) else open_in_root(root, path, flags)
    except OSError as error:
        if error.errno in _FAILED:
            raise _unreadable(path, error) from error
        return ""
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode) or status.st_size > LIMIT_BYTES:
            return ""
        data = bytearray()
        while len(data) < LIMIT_BYTES and (part := os.read(fd, LIMIT_BYTES)):
            data += part  # short where the rest could not be read: asked for again, that is an error
        return data.decode("utf-8", "surrogateescape")
    except OSError as error:
        raise _unreadable(path, error) from error
    finally:
        os.close(fd)


def _unreadable(path: str, error: OSError) -> RootlessError:
    return RootlessError(
        f"the image's /{path} cannot be read: {error.strerror}", hint="an image file may be damaged, or its file system gone"
    )
