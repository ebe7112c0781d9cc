"""What a container changed in its image's files, as `docker diff` lists it."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from typing import NamedTuple

from rootless.linux.rlimit import many_descriptors
from rootless.storage import owner_file
from rootless.storage.layers import image_owners
from rootless.storage.layers.layers import path as layer_path
from rootless.storage.layers.recorded import Reader
from rootless.storage.layers.whiteouts import is_opaque
from rootless.storage.store import Store

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Change(NamedTuple):
    """`kind` is "A" added, "C" changed or "D" deleted; `path` is absolute in the container."""

    kind: str
    path: str


Shown = Callable[[int, int], "tuple[int, int]"]


def diff(
    store: Store, container_dir: str, diff_ids: tuple[str, ...] | list[str], shown: Shown | None = None, *, over_host: bool = False
) -> list[Change]:
    """Changes of the container against its layers (bottom first), sorted by path.

    `shown`: the image's numbers of the owners in a copy that was given to other ids. `over_host`: the machine's own files are
    below its layers.

    Directories above a change are listed as changed, a deleted directory once, without what was
    in it. Wants the session joined; the container may run.
    """
    with many_descriptors():  # one for each layer, at each level of the tree
        links = owner_file.read(container_dir)
        if links.kept and is_copy(container_dir):
            links = links.with_images(image_owners.of_links(store, diff_ids))
        lower = [layer_path(store, diff_id) for diff_id in reversed(diff_ids)]
        return _diff([*lower, "/"] if over_host else lower, container_dir, shown, Reader(links))


def is_copy(container_dir: str) -> bool:
    """Whether the container has a whole copy of its image's files instead of an upper directory."""
    return os.path.isdir(container_dir + "/rootfs")


def _diff(lower: list[str], container_dir: str, shown: Shown | None, owners: Reader) -> list[Change]:
    copied = container_dir + "/rootfs"
    top = copied if is_copy(container_dir) else container_dir + "/upper"
    fds: list[int] = []
    try:
        for path in lower:
            fds.append(os.open(path, _DIRECTORY))
            if is_opaque(fds[-1]):
                break
        fds.insert(0, os.open(top, _DIRECTORY))
    except BaseException as error:
        _close(fds)
        if isinstance(error, FileNotFoundError) and error.filename == top:
            return []  # never started
        raise
    found = _compare_trees(fds, copy=(shown or _as_it_is) if top == copied else None, owners=owners)
    return [Change(kind, path) for path, kind in sorted(found.items())]


class _OpenDirectory(NamedTuple):
    """A directory being compared: the upper one first, then what merges below it, topmost first; all ours."""

    fds: list[int]
    path: str
    subdirectories: Iterator[str]


def _compare_trees(fds: list[int], *, copy: Shown | None, owners: Reader) -> dict[str, str]:
    """{path: kind} of the whole tree; the descriptors are closed. How deep it is costs descriptors, no stack."""
    found: dict[str, str] = {}
    opened: list[_OpenDirectory] = []

    def enter(fds: list[int], path: str) -> None:
        opened.append(_OpenDirectory(fds, path, iter(())))
        names = _compare(fds[0], fds[1:], path, found, copy=copy, owners=owners)
        opened[-1] = opened[-1]._replace(subdirectories=iter(names))

    try:
        enter(fds, "")
        while opened:
            directory = opened[-1]
            for name in directory.subdirectories:
                inner = _open_inside(directory.fds, name)
                if inner:
                    enter(inner, f"{directory.path}/{name}")
                break
            else:
                _close(opened.pop().fds)
    finally:
        for directory in opened:
            _close(directory.fds)
    return found


def _compare(
    upper: int, lowers: list[int], path: str, found: dict[str, str], *, copy: Shown | None, owners: Reader
) -> list[str]:
    """Compare one directory, and return the subdirectories to compare next. `copy`: `upper` is a full copy with
    these owners, so what it lacks is deleted."""
    names = os.listdir(upper)
    inside: list[str] = []
    if copy is not None or is_opaque(upper):
        for name in _merged_names(lowers) - set(names):
            _record(found, "D", f"{path}/{name}")
    for name in names:
        here = f"{path}/{name}"
        try:
            now = os.stat(name, dir_fd=upper, follow_symlinks=False)
        except FileNotFoundError:
            continue
        before = _lookup(lowers, name)
        if _is_whiteout(now, name) and copy is None:
            if name[:4] == ".wh.":
                if name == ".wh..wh..opq":
                    continue
                here, before = f"{path}/{name[4:]}", _lookup(lowers, name[4:])
            if before is not None:
                _record(found, "D", here)
            continue
        if before is None:
            _record(found, "A", here)
        elif not _same(before, now, copy) or _given_away(lowers, before, upper, now, name, owners):
            _record(found, "C", here)
        if stat.S_ISDIR(now.st_mode):
            inside.append(name)
    return inside


def _open_inside(fds: list[int], name: str) -> list[int]:
    """The descriptors of `name` in them; empty where it is gone, or was replaced while we looked."""
    try:
        upper = os.open(name, _DIRECTORY, dir_fd=fds[0])
    except OSError:
        return []
    try:
        return [upper, *_open_lower(fds[1:], name)]
    except BaseException:
        os.close(upper)
        raise


def _close(fds: list[int]) -> None:
    for fd in fds:
        os.close(fd)


def _record(found: dict[str, str], kind: str, path: str) -> None:
    found[path] = kind
    above = path.rpartition("/")[0]
    while above and above not in found:
        found[above] = "C"
        above = above.rpartition("/")[0]


def _as_it_is(uid: int, gid: int) -> tuple[int, int]:
    return uid, gid


def _same(before: os.stat_result, now: os.stat_result, copy: Shown | None) -> bool:
    """Whether nothing a user would call a change happened; copy-up alone of a directory is none."""
    if stat.S_IFMT(before.st_mode) != stat.S_IFMT(now.st_mode):
        return False
    if stat.S_ISDIR(now.st_mode) or copy is not None:
        owner = (copy or _as_it_is)(now.st_uid, now.st_gid)
        same = (before.st_mode, before.st_mtime_ns) == (now.st_mode, now.st_mtime_ns)
        same = same and (before.st_uid, before.st_gid) == owner
        return same and (stat.S_ISDIR(now.st_mode) or before.st_size == now.st_size)
    return False


def _given_away(
    lowers: list[int], before: os.stat_result, upper: int, now: os.stat_result, name: str, owners: Reader
) -> bool:
    """Whether the file says that it is somebody else's than the lower one, of which `before` is: for the kernel both are root's."""
    mine = owners.owner_by_name(upper, name, now)
    for fd in lowers:
        try:
            if os.path.samestat(os.stat(name, dir_fd=fd, follow_symlinks=False), before):
                theirs = owners.owner_by_name(fd, name, before)
                return (mine, theirs) != ((now.st_uid, now.st_gid), (before.st_uid, before.st_gid)) and mine != theirs
        except OSError:
            continue
    return False


def _is_whiteout(status: os.stat_result, name: str) -> bool:
    return (stat.S_ISCHR(status.st_mode) and status.st_rdev == 0) or name[:4] == ".wh."


def _lookup(lowers: list[int], name: str) -> os.stat_result | None:
    for fd in lowers:
        try:
            status = os.stat(name, dir_fd=fd, follow_symlinks=False)
        except OSError:
            try:
                os.stat(".wh." + name, dir_fd=fd, follow_symlinks=False)
                return None
            except OSError:
                continue
        return None if _is_whiteout(status, name) else status
    return None


def _open_lower(lowers: list[int], name: str) -> list[int]:
    """The lower directories that merge as `name`, topmost first; the caller's to close."""
    found: list[int] = []
    for fd in lowers:
        try:
            inner = os.open(name, _DIRECTORY, dir_fd=fd)
        except FileNotFoundError:
            continue
        except OSError:
            break  # a file or a whiteout hides what is below
        found.append(inner)
        if is_opaque(inner):
            break
    return found


def _merged_names(lowers: list[int]) -> set[str]:
    names = {name for fd in lowers for name in os.listdir(fd)}
    return {name for name in names if name[:4] != ".wh." and _lookup(lowers, name) is not None}
