"""`update`: other limits for a container, at once where it runs, and another restart policy. All or
nothing: what the kernel refuses leaves the container and its record as they were."""

from __future__ import annotations

import errno
import os
from typing import Any, cast

from rootless import atomic
from rootless.cgroup import apply, cgroupfs, limits, subtrees
from rootless.cgroup.create import IN_USER_NAMESPACE
from rootless.engine.options.resources import Resources
from rootless.engine.state import cgroup, resources, restart, running
from rootless.engine.state.config import ContainerConfig, read_config
from rootless.engine.state.events import events
from rootless.errors import InvalidInput, NotSupported
from rootless.storage.containers import containers
from rootless.storage.store import Store


def update(store: Store, identifier: str, changes: Resources, policy: str | None = None) -> None:
    """Change the limits named in `changes`, and the restart policy. Two at once wait for each other.

    InvalidInput for what makes no sense with the limits that stay, NotSupported for what the
    running container's cgroup cannot hold, NotFound where that cgroup has been removed.
    """
    if not changes and policy is None:
        raise InvalidInput("nothing to update", hint="give at least one limit, for example --memory 512m")
    with containers.lock(store, identifier):
        record = read_config(store, identifier)
        if policy is not None:
            restart.check_policy(record, policy)
        if changes:
            _change(store, record, changes)
        if policy is not None:
            restart.set_policy(store, record, policy)
    events.container(store, "update", record)


def _change(store: Store, record: ContainerConfig, changes: Resources) -> None:
    identifier = record["id"]
    before = cgroup.of(record)
    after = _merged(before, changes)
    resources.check(after)
    wanted = limits.settings(resources.to_oci(after))
    found = running.find(store, identifier)
    if found is not None:
        with found:
            old = limits.settings(resources.to_oci(before))
            changed = [one for one in wanted if one not in old] + _lifted(old, wanted)
            _apply(store, found, changed)
    record["resources"] = after
    path = containers.directory(store, identifier) + "/config.json"
    atomic.write_json(path, cast(dict[str, Any], record), durable=not record["auto_remove"])


def _merged(before: Resources, changes: Resources) -> Resources:
    after: Resources = {**before, **changes}
    if "nano_cpus" in changes and not ("cpu_quota" in changes or "cpu_period" in changes):
        after.pop("cpu_quota", None)
        after.pop("cpu_period", None)
    elif ("cpu_quota" in changes or "cpu_period" in changes) and "nano_cpus" not in changes:
        after.pop("nano_cpus", None)
    memory, swap = after.get("memory", 0), after.get("memory_swap", 0)
    if "memory" in changes and "memory_swap" not in changes and 0 < swap < memory:
        raise InvalidInput(
            "Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time"
        )
    return after


def _lifted(old: list[limits.Setting], wanted: list[limits.Setting]) -> list[limits.Setting]:
    """The settings that are no longer there, as none."""
    there = {one.file for one in wanted}
    none = {"cpu.max": "max 100000", "cpu.weight": "100", "memory.low": "0"}
    return [
        one._replace(values=(none.get(one.file, limits.MAXIMUM),))
        for one in old
        if one.file not in there and one.file not in ("io.max", "io.weight", "cpuset.cpus", "cpuset.mems")
    ]


def _apply(store: Store, found: running.RunningContainer, changed: list[limits.Setting]) -> None:
    path = str(found.state.get("cgroup") or "")
    held: dict[str, str] = dict(found.state.get("limits") or {})
    if changed and path and not cgroupfs.exists(path):
        raise cgroupfs.gone(path, FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT)))
    controllers = cgroupfs.own_controllers(path)
    for one in changed:
        if one.controller in controllers:
            continue
        if one.limit == "pids-limit" and held.get(one.limit) == IN_USER_NAMESPACE:
            raise NotSupported(
                "--pids-limit of a running container cannot be changed here: its user namespace holds it",
                hint="stop the container first; the new limit holds from its next start",
            )
        raise NotSupported(
            f"--{one.limit} cannot be enforced: the container's cgroup has no {one.controller} controller"
            if path
            else f"--{one.limit} cannot be enforced: the container has no cgroup",
            hint=subtrees.search().hint,
        )
    if not changed:
        return
    apply.apply(path, changed)
    unit = str(found.state.get("cgroup_unit") or "")
    if unit:
        from rootless.cgroup import systemd

        systemd.set_weights(subtrees.facts(), unit, changed)
    held |= {one.limit: f"cgroup {one.file}" for one in changed}
    state = containers.directory(store, found.id) + "/state.json"
    atomic.write_json(state, {**found.state, "limits": held})
