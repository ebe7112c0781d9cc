"""The processes of a container, found in /proc. Hot path."""

from __future__ import annotations

import os

from rootless.linux.process import descendants


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
        return descendants(first)
    found = [first]
    for entry in os.listdir("/proc"):
        if entry.isdigit() and int(entry) != first:
            try:
                if os.stat(f"/proc/{entry}/ns/pid").st_ino == namespace:
                    found.append(int(entry))
            except (FileNotFoundError, PermissionError, ProcessLookupError):
                continue  # ended, or not ours to look at: so not of our container
    return found
