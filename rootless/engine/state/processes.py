"""The processes of a container, found in /proc. HOT."""

from __future__ import annotations

import os


def pids(first: int) -> list[int]:
    """All processes of the pid namespace that `first` is in, as seen from here, `first` at the front.

    With --pid=host, where that namespace is everybody's, `first` and its descendants.
    """
    own = os.stat("/proc/self/ns/pid").st_ino
    try:
        namespace = os.stat(f"/proc/{first}/ns/pid").st_ino
    except FileNotFoundError:
        return []
    if namespace == own:
        return _descendants(first)
    found = [first]
    for entry in os.listdir("/proc"):
        if entry.isdigit() and int(entry) != first:
            try:
                if os.stat(f"/proc/{entry}/ns/pid").st_ino == namespace:
                    found.append(int(entry))
            except (FileNotFoundError, PermissionError, ProcessLookupError):
                continue  # ended, or not ours to look at: so not of our container
    return found


def _descendants(first: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat", "rb") as file:
                    parent = int(file.read().rpartition(b")")[2].split()[1])
            except (FileNotFoundError, ProcessLookupError):
                continue
            children.setdefault(parent, []).append(int(entry))
    found = [first]
    for pid in found:
        found += children.get(pid, [])
    return found
