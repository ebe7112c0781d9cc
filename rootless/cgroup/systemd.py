"""A scope of systemd for one container, over D-Bus: org.freedesktop.systemd1(5).

The user's own systemd makes it; for real root, whose containers are the machine's, the system's. Not hot:
only where this rung is tried. The bus may be gone or hang: then the caller takes the next rung. A systemd
that is slow and has answered is waited for: it has the request, and carries it out whenever it comes to it.
"""

from __future__ import annotations

import os
import time
from typing import Any

from rootless.cgroup import subtrees
from rootless.cgroup.bus import PATIENCE_S, TIMEOUT_S, Bus, Refused
from rootless.cgroup.limits import MAXIMUM, Setting
from rootless.errors import Unavailable

_UNLIMITED = (1 << 64) - 1
_STOP_US = 10_000_000
_ASK_AGAIN_S = 0.25


def unit_name(name: str) -> str:
    """The scope of the cgroup that would be called `name`."""
    return name + ".scope"


# Weights count among siblings, and the container's cgroup is alone in its scope: the scope has them, too.
_IDLE = 0  # a CPUWeight of systemd 252


def weights(settings: list[Setting]) -> list[tuple[str, tuple[str, Any]]]:
    """What of `settings` has to hold for the scope as a whole, as systemd's properties."""
    found: dict[str, tuple[str, Any]] = {}
    devices = []
    for one in settings:
        for value in one.values:
            *device, weight = value.split() or [""]
            if not weight.isdecimal():
                continue
            if one.file == "cpu.idle":
                found["CPUWeight"] = ("t", _IDLE if int(weight) else found.get("CPUWeight", ("t", 100))[1])
            elif one.file == "io.weight" and device not in ([], ["default"]):
                devices.append((f"/dev/block/{device[0]}", _io_weight(weight)))
            elif one.file == "io.weight":
                found["IOWeight"] = ("t", _io_weight(weight))
            elif one.file == "cpu.weight":
                found["CPUWeight"] = ("t", int(weight))
    if devices:
        found["IODeviceWeight"] = ("a(st)", devices)
    return list(found.items())


def _io_weight(weight: str) -> int:
    from rootless.cgroup.io_weights import IOCOST, heeded, of_systemd

    return int(weight) if IOCOST in heeded() else of_systemd(int(weight))


# Limits that a scope with nothing but the container in it can have besides, where they are looked for.
_TOTALS = {"memory.max": "MemoryMax", "memory.swap.max": "MemorySwapMax", "pids.max": "TasksMax"}


def totals(settings: list[Setting]) -> list[tuple[str, tuple[str, Any]]]:
    """What of `settings` can be said of the scope as a whole, as systemd's properties. Pure."""
    found = []
    for one in settings:
        value = one.values[0] if one.values else ""
        if one.file in _TOTALS and (value.isdecimal() or value == MAXIMUM):
            found.append((_TOTALS[one.file], ("t", int(value) if value.isdecimal() else _UNLIMITED)))
    return found


def set_weights(known: subtrees.Facts, unit: str, settings: list[Setting]) -> None:
    """Change those of a scope that is there, until it ends. Raises as `start`."""
    set_properties(known, unit, weights(settings))


def set_properties(known: subtrees.Facts, unit: str, properties: list[tuple[str, tuple[str, Any]]]) -> None:
    """Change properties of a scope that is there, until it ends. Raises as `start`."""
    if properties:
        with Bus(known.uid, PATIENCE_S) as bus:
            bus.call("SetUnitProperties", "sba(sv)", (unit, True, properties))


def start(
    known: subtrees.Facts,
    name: str,
    *,
    description: str,
    slice_name: str,
    settings: list[Setting],
    pid: int = 0,
    whole: tuple[Setting, ...] = (),
    answers_s: float = PATIENCE_S,
) -> str:
    """Have systemd put the process `pid` (0: this very one) into a new scope; the scope's directory.

    It has the weights of `settings`, and the totals of `whole`. Unavailable where the bus does not answer in
    TIMEOUT_S or systemd in `answers_s`, NotSupported where systemd refuses.
    """
    unit = unit_name(name)
    properties: dict[str, tuple[str, Any]] = dict([
        ("Description", ("s", description)),
        ("Delegate", ("b", True)),
        ("PIDs", ("au", [pid or os.getpid()])),
        ("Slice", ("s", slice_name)),
        ("CollectMode", ("s", "inactive-or-failed")),
        # Limits are ours to set, below; the manager's default would be one that nobody asked for.
        ("TasksMax", ("t", _UNLIMITED)),
        ("TimeoutStopUSec", ("t", _STOP_US)),
        *weights(settings),
        *totals(list(whole)),
    ])  # fmt: skip
    with Bus(known.uid, answers_s) as bus:
        again = time.monotonic() + TIMEOUT_S
        while True:
            try:
                bus.call("StartTransientUnit", "ssa(sv)a(sa(sv))", (unit, "fail", list(properties.items()), []))
                break
            except Refused as error:
                # Started again at once: systemd has yet to see that the last scope is empty.
                if not error.name.endswith(".UnitExists") or time.monotonic() > again:
                    raise
                time.sleep(0.01)
        own = _wait_for(bus, unit, pid or "self", "/" + unit)
    return known.mount + own


def stop(known: subtrees.Facts, unit: str) -> None:
    """End a scope that is there still. Raises as `start`, but for one that is not."""
    with Bus(known.uid, TIMEOUT_S) as bus:
        try:
            bus.call("StopUnit", "ss", (unit, "replace"))
        except Refused as error:
            if not error.name.endswith(".NoSuchUnit"):
                raise


def attach(known: subtrees.Facts, unit: str, below: str, pid: int, target: str) -> None:
    """Have systemd move `pid` into `below` (a path in the unit's cgroup), which is `target` in the file
    system. Raises as `start`."""
    with Bus(known.uid, PATIENCE_S) as bus:
        bus.call("AttachProcessesToUnit", "ssau", (unit, below, [pid]))
        _wait_for(bus, unit, pid, target.removeprefix(known.mount))


def _cgroup_of(pid: int | str) -> str:
    with open(f"/proc/{pid}/cgroup", encoding="utf-8", errors="surrogateescape") as file:
        return subtrees.own_path(file.read())


def _wait_for(bus: Bus, unit: str, pid: int | str, ending: str) -> str:
    """The process's cgroup once it ends in `ending`, as it does where systemd has done what it accepted.

    We see that of the process: no signals of the bus are needed to know it. While it takes long, systemd is
    asked for the unit, so that one which gave up (the unit is gone) or hangs ends the wait.
    """
    ask = time.monotonic() + TIMEOUT_S
    while not (own := _cgroup_of(pid)).endswith(ending):
        if time.monotonic() > bus.deadline:
            raise Unavailable(f"systemd did not move process {pid} into {unit} within {bus.limit_s:g} s")
        if time.monotonic() > ask:
            bus.call("GetUnit", "s", (unit,))
            ask = time.monotonic() + _ASK_AGAIN_S
        time.sleep(0.001)
    return own
