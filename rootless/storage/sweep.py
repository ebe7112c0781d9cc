"""Cleaning up after killed processes and power cuts: recovery is the normal path.

What is marked as unfinished and held by nobody is deleted on sight. Not HOT: the engine calls it
after commands that change something, never before one that somebody waits for.
"""

from __future__ import annotations

import fcntl
import os
import time

from rootless.errors import RootlessError
from rootless.linux.process import boot_id
from rootless.storage import containers, names
from rootless.storage.store import Store, open_lock
from rootless.storage.tree import remove_tree


def sweep_containers(store: Store) -> list[str]:
    """Clean up after killed processes and power cuts; what was removed, for `--debug`.

    Wants the session joined. Cheap when there is nothing to do: two directory listings.
    """
    done: list[str] = []
    try:
        entries = os.listdir(store.containers)
    except FileNotFoundError:
        return done
    booted = boot_id()
    for entry in entries:
        path = f"{store.containers}/{entry}"
        if entry.startswith((".rm-", ".new-")):
            if entry.startswith(".new-") and not _is_abandoned(path):
                continue
            remove_tree(path)
            done.append(entry)
            continue
        try:
            if os.readlink(path + "/transient") == booted:
                continue
        except OSError:
            continue
        try:
            with containers.lock(store, entry, blocking=False):
                containers.remove(store, entry)
            done.append(entry)
        except RootlessError:
            continue
    return done + _sweep_names(store, set(entries))


def _is_abandoned(new: str) -> bool:
    """Whether no living process is making `new`. One that has no lock file yet gets ten seconds."""
    try:
        fd = os.open(new + "/lock", os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        try:
            return time.time() - os.stat(new).st_mtime > 10
        except FileNotFoundError:
            return False
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(fd)
    return True


def _sweep_names(store: Store, there: set[str]) -> list[str]:
    done = []
    for holder, name in names.all_names(store).items():
        if holder in there or names.exists(store, holder):
            continue
        guard = open_lock(store.root + "/names.lock")
        try:
            fcntl.flock(guard, fcntl.LOCK_EX)
            if not names.exists(store, holder):
                names.release(store, name, holder)
                done.append(name)
        finally:
            os.close(guard)
    return done
