"""Cleaning up after killed processes and power cuts: recovery is the normal path.

What is marked as unfinished and locked by no process is deleted at once. The engine calls it
after commands that change something, never before one that a user waits for.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable

from rootless.errors import RootlessError
from rootless.linux.process import alive, boot_id
from rootless.storage import abandoned, names, shape
from rootless.storage.containers import containers, members
from rootless.storage.remove_tree import remove_tree
from rootless.storage.store import Store, open_lock


def sweep_containers(store: Store, before_removal: Callable[[Store, str], None] | None = None) -> list[str]:
    """Clean up after killed processes and power cuts; what was removed, for `--debug`.

    `before_removal` is called with each --rm container that is removed, under its lock.

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
            gone = abandoned.set_aside(path, "lock") if entry.startswith(".new-") else path
            if gone:
                remove_tree(gone)
                done.append(entry)
            continue
        try:
            this_boot = os.readlink(path + "/transient") == booted
        except OSError:
            continue
        if this_boot and not _has_lost_everybody(store, entry):
            continue
        try:
            with containers.lock(store, entry, blocking=False):
                if before_removal is not None:
                    before_removal(store, entry)
                containers.remove(store, entry)
            done.append(entry)
        except RootlessError:
            continue
    there = set(entries) - set(done)
    return done + _sweep_names(store, there) + _sweep_runtime(store, there)


def sweep_pods(store: Store) -> None:
    """Delete pods that were half made, or half removed."""
    from rootless.storage import pods

    base = pods.directory(store)
    try:
        entries = os.listdir(base)
    except FileNotFoundError:
        return
    for entry in entries:
        path = f"{base}/{entry}"
        gone = abandoned.set_aside(path, "lock") if entry.startswith(".new-") else path if entry.startswith(".rm-") else ""
        if gone:
            remove_tree(gone)


def _has_lost_everybody(store: Store, container_id: str) -> bool:
    """Whether a --rm container has ended and neither its monitor nor a command is left to remove it; or whether it was to be
    shared, and who made it is dead."""
    try:
        found = containers.status(store, container_id).state
        if found == "created":
            shared = containers.config(store, container_id).get("shared")
            return shared is not None and members.is_abandoned(shared, container_id)
        if found != "exited":
            return False
        state = shape.read_state(containers.directory(store, container_id))
    except (RootlessError, OSError, ValueError):
        return False
    return not alive(state.get("monitor_pid", 0), state.get("monitor_start_time", 0))


def _sweep_runtime(store: Store, there: set[str]) -> list[str]:
    """Remove what containers of this store left in RUNTIME; another store's are not ours to judge."""
    done: list[str] = []
    try:
        entries = os.listdir(store.runtime + "/c")
    except OSError:
        return done
    for entry in entries:
        if entry in there or f".new-{entry}" in there:
            continue
        path = f"{store.runtime}/c/{entry}"
        try:
            if os.readlink(path + "/root") != store.root or os.path.isdir(f"{store.containers}/{entry}"):
                continue
        except OSError:
            continue
        remove_tree(path)
        done.append(path)
    return done


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
