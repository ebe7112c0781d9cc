"""Whether a path is on a file system that a server keeps, told without asking the server: one that does not answer is waited for in the
kernel, where no word can be said and Ctrl-C is not heard. Asked by every command, mostly of a local disk. Hot path.
"""

from __future__ import annotations

import os

from rootless.linux.filesystem import SERVED, known_device
from rootless.linux.libc import AT_FDCWD
from rootless.linux.openat2 import RESOLVE_CACHED, openat2

_MOST_LINKS = 40
_waited: set[str] = set()


def wait(path: str) -> None:
    """Before `path`, absolute, is looked at: where a server keeps it, wait for that as file_servers.wait_for does, once in this process for
    each mount."""
    if _on_a_disk(path):
        return
    point = _mount_on_the_way(path)
    if point and point not in _waited:
        from rootless.storage import file_servers

        file_servers.wait_for(point)
        _waited.add(point)


def _on_a_disk(path: str) -> bool:
    """Whether that is known from the kernel's caches alone: the file system has a block device. False where they do not tell."""
    try:
        fd = openat2(AT_FDCWD, path, os.O_PATH, resolve=RESOLVE_CACHED)
    except OSError:
        return False  # not looked at lately, or not there; or before Linux 5.12
    try:
        return os.major(known_device(fd)) != 0
    except OSError:
        return False
    finally:
        os.close(fd)


def _mount_on_the_way(path: str) -> str:
    """The first mount that a server keeps, where following `path` comes to one; "" for none."""
    points = _points()
    if not any(points.values()):
        return ""
    found, left, links = "/", [part for part in path.split("/") if part not in ("", ".")], 0
    while left:
        if (name := left.pop(0)) == "..":
            found = os.path.dirname(found)
            continue
        below = os.path.join(found, name)
        if points.get(below):
            return below
        try:
            target = os.readlink(below) if links < _MOST_LINKS else ""
        except OSError:
            target = ""
        if target:
            links += 1
            found = "/" if target.startswith("/") else found
            left = [*(part for part in target.split("/") if part not in ("", ".")), *left]
        else:
            found = below
    return ""


def _points() -> dict[str, bool]:
    """Where something is mounted, and whether a server keeps what is on top there."""
    found: dict[str, bool] = {}
    try:
        with open("/proc/self/mountinfo", "rb") as file:
            for line in file.read().split(b"\n"):
                mount, separator, of_the_file_system = line.partition(b" - ")
                if separator:
                    kind = of_the_file_system.partition(b" ")[0].decode(errors="replace")
                    point = mount.split(b" ", 5)[4]
                    found[os.fsdecode(_unescaped(point) if b"\\" in point else point)] = kind in SERVED or kind.startswith("fuse.")
    except (OSError, IndexError):
        return {}
    return found


def _unescaped(text: bytes) -> bytes:
    for escaped, character in ((b"\\040", b" "), (b"\\011", b"\t"), (b"\\012", b"\n"), (b"\\134", b"\\")):
        text = text.replace(escaped, character)
    return text
