"""What a process about to enter a container gives up first: descriptors, and finding modules by path.

exec would close the descriptors, but a process that exits loses its undumpable mark, with its memory, before its
descriptors (see tests/hostile/test_descriptors.py). An import in the container's root would load the container's
modules (CVE-2019-14271 of Docker). Hot path.
"""

from __future__ import annotations

import os
import sys

from rootless import bytecode
from rootless.linux.process import close_range
from rootless.record import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_LAST = 0xFFFFFFFF
_forgotten: list[object] = []


def close_all(fds: Iterable[int]) -> None:
    """Close `fds`; -1 is none."""
    for fd in fds:
        if fd >= 0:
            os.close(fd)


def keep_only(kept: tuple[int, ...]) -> None:
    """Close every descriptor above 2 but those of `kept` (-1 is none)."""
    bytecode.forget()
    first = 3
    for fd in sorted({fd for fd in kept if fd > 2}):
        _close(first, fd - 1)
        first = fd + 1
    _close(first, _LAST)


def drop_everything(*kept: int) -> None:
    """Prepare to exit inside a container's namespaces: close every descriptor but `kept`, and take an empty root.

    In its last moments a process can be read through /proc by those who have capabilities over it."""
    keep_only(kept)
    try:
        os.chroot("/proc/self/fdinfo")  # of a process that ends: empty
        os.chdir("/")
    except OSError:
        pass  # no capability for it, or no /proc: the root is the container's then


def _close(first: int, last: int) -> None:
    if first > last:
        return
    try:
        close_range(first, last)
    except OSError:  # Linux before 5.9
        for name in os.listdir("/proc/self/fd"):
            if first <= int(name) <= last:
                try:
                    os.close(int(name))
                except OSError:
                    pass  # the directory's own descriptor


def stop_importing() -> None:
    """Import nothing from files any more: what is needed has been imported."""
    # Put aside, not freed: that would write to pages which a new child still shares, 0.2 ms of its life.
    _forgotten.append((sys.path, sys.path_hooks, sys.path_importer_cache))
    sys.path, sys.path_hooks, sys.path_importer_cache = [], [], {}
    # Built-in and frozen modules stay, and our own file's, while that is open.
    kept = ("BuiltinImporter", "FrozenImporter", "Finder")
    sys.meta_path[:] = [finder for finder in sys.meta_path if getattr(finder, "__name__", "") in kept]
