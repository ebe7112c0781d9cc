"""User and group id mappings: what /proc says, what /etc/subuid grants, what a session maps.

Pure except for reading files; `etc` can be pointed at another directory. Hot path.
"""

from __future__ import annotations

import os

from rootless.record import TYPE_CHECKING, Record

if TYPE_CHECKING:
    from collections.abc import Iterable

_ID_LIMIT = 2**32 - 1  # (uid_t)-1 is no id
_MAX_LINES = 340  # user_namespaces(7), since Linux 4.15


class IdRange(Record):
    """`size` ids from `inside` in the namespace are those from `outside` in its parent."""

    inside: int
    outside: int
    size: int


class SubordinateRange(Record):
    """Ids `start` to `start + size - 1` that a user may map, subuid(5)."""

    start: int
    size: int


def parse_map(text: str) -> list[IdRange]:
    """The lines of a /proc/PID/uid_map, user_namespaces(7)."""
    return [IdRange(*map(int, line.split())) for line in text.splitlines()]


def current_map(kind: str, pid: int | str = "self") -> list[IdRange]:
    """The map of `pid`'s user namespace; `kind` is "uid" or "gid". Empty: none written yet.

    Ids outside are the parent's where `pid` is in our own namespace, and our own otherwise.
    """
    fd = os.open(f"/proc/{pid}/{kind}_map", os.O_RDONLY | os.O_CLOEXEC)
    try:
        return parse_map(os.read(fd, 65536).decode())
    finally:
        os.close(fd)


def is_initial(ranges: Iterable[IdRange]) -> bool:
    """Whether a map is that of the initial user namespace: every id as itself."""
    return list(ranges) == [IdRange(0, 0, _ID_LIMIT)]


def format_map(ranges: Iterable[IdRange]) -> str:
    """The text to write to /proc/PID/uid_map, in one write."""
    return "".join(f"{inside} {outside} {size}\n" for inside, outside, size in ranges)


def identity(ranges: Iterable[IdRange]) -> list[IdRange]:
    """The map of a child namespace in which every id that `ranges` has inside stays what it is.

    Line by line: the kernel takes no line that spans two of its parent's, however seamlessly.
    """
    return [IdRange(inside, inside, size) for inside, _, size in ranges]


def session_map(own_id: int, granted: Iterable[SubordinateRange]) -> list[IdRange]:
    """Own id as 0, then all `granted` ranges one after the other from 1.

    What overlaps (the own id, a range named twice) is mapped once only, as the kernel demands;
    every mapped piece stays within one granted range, as newuidmap demands.
    """
    ranges = [IdRange(0, own_id, 1)]
    taken = [(own_id, own_id + 1)]
    inside = 1
    for start, size in granted:
        for piece_start, piece_end in _without(start, min(start + size, _ID_LIMIT), taken):
            if len(ranges) == _MAX_LINES:
                return ranges
            length = min(piece_end - piece_start, _ID_LIMIT - inside)
            ranges.append(IdRange(inside, piece_start, length))
            taken.append((piece_start, piece_start + length))
            inside += length
    return ranges


def _without(start: int, end: int, taken: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The pieces of [start, end) outside all `taken` intervals, in order."""
    pieces = []
    for taken_start, taken_end in sorted(taken):
        if taken_end <= start or taken_start >= end:
            continue
        if start < taken_start:
            pieces.append((start, taken_start))
        start = max(start, taken_end)
    if start < end:
        pieces.append((start, end))
    return pieces


def within(granted: Iterable[SubordinateRange], available: Iterable[IdRange]) -> list[SubordinateRange]:
    """The parts of `granted` that exist in this namespace: in a container not every id does."""
    parts = []
    available = list(available)
    for start, size in granted:
        for inside, _, length in available:
            low, high = max(start, inside), min(start + size, inside + length)
            if low < high:
                parts.append(SubordinateRange(low, high - low))
    return parts


def extends(new: list[IdRange], old: list[IdRange]) -> bool:
    """Whether `new` maps every id that `old` maps, and to the same one: files keep their owners."""
    for inside, outside, size in old:
        position = inside
        while position < inside + size:
            for new_inside, new_outside, new_size in new:
                if new_inside <= position < new_inside + new_size:
                    if new_outside - new_inside != outside - inside:
                        return False
                    position = new_inside + new_size
                    break
            else:
                return False
    return True


def subordinate_ranges(user: str | None, uid: int, kind: str, *, etc: str = "/etc") -> list[SubordinateRange]:
    """What subuid(5) (`kind` "uid") or subgid(5) ("gid") grants to this user, in its order.

    Entries name the user or give the number, also in subgid. `user` is None for a uid without a
    name. Where nsswitch.conf sends subids elsewhere (sss), getsubids(1) answers; files otherwise,
    which spares a process.
    """
    if user is not None and _elsewhere(etc):
        answer = _getsubids(user, kind)
        if answer:
            return answer
    owners = {str(uid)} if user is None else {user, str(uid)}
    return [entry for owner, entry in subordinate_entries(kind, etc=etc) if owner in owners]


def subordinate_entries(kind: str, *, etc: str = "/etc") -> list[tuple[str, SubordinateRange]]:
    """Every valid line of /etc/subuid or /etc/subgid: whose, and which ids."""
    try:
        with open(os.path.join(etc, f"sub{kind}"), errors="surrogateescape") as file:
            lines = file.read(1 << 20).splitlines()
    except OSError:
        return []
    entries = []
    for line in lines:
        fields = line.strip().split(":")
        if len(fields) == 3 and fields[1].isdecimal() and fields[2].isdecimal():
            start, size = int(fields[1]), int(fields[2])
            if size > 0 and start + size <= _ID_LIMIT:
                entries.append((fields[0], SubordinateRange(start, size)))
    return entries


def _elsewhere(etc: str) -> bool:
    """Whether nsswitch.conf(5) names another source of subids than the files."""
    try:
        with open(os.path.join(etc, "nsswitch.conf"), errors="replace") as file:
            text = file.read(1 << 16)
    except OSError:
        return False
    for line in text.splitlines():
        database, _, sources = line.partition("#")[0].partition(":")
        if database.strip() == "subid":
            return sources.split() not in ([], ["files"])
    return False


def _getsubids(user: str, kind: str) -> list[SubordinateRange]:
    from rootless.session import run_program

    program = run_program.find("getsubids")
    if program is None:
        return []
    result = run_program.run([program, *(["-g"] if kind == "gid" else []), user])
    ranges = []
    for line in result.output.splitlines() if result.status == 0 else []:
        # "0: alice 100000 65536"
        fields = line.split()
        if len(fields) == 4 and fields[2].isdecimal() and fields[3].isdecimal():
            ranges.append(SubordinateRange(int(fields[2]), int(fields[3])))
    return ranges
