"""A container's cgroup in a transient scope of systemd: linux.cgroupsPath as SLICE:PREFIX:NAME.

    SLICE/PREFIX-NAME.scope             systemd's, delegated to us; the weights, as properties of the unit
    SLICE/PREFIX-NAME.scope/container   the container: every limit, as a file

A scope's own files are systemd's: it writes them anew at each daemon-reload and at each change of a
property, so that a limit written there would hold until then (runc sets each limit twice, as property and as
file, for that reason). What is below a delegated unit systemd never touches, and there every file of cgroup
v2 can be set, those too that no property stands for. Weights count among the siblings of the scope, and the
totals (memory, swap, processes) are looked for there by Podman and `systemctl status`: those it has as
properties besides.
"""

from __future__ import annotations

import os

from rootless.cgroup import cgroupfs, subtrees
from rootless.errors import InvalidInput, NotSupported, RootlessError, Unavailable
from rootless.record import TYPE_CHECKING, Record

if TYPE_CHECKING:
    from rootless.cgroup.limits import Setting

LEAF = "container"
_GONE_S = 2.0
# Also shown when only linux.cgroupsPath asked for systemd.
_WITHOUT = (
    "without systemd give --cgroup-manager cgroupfs instead of --systemd-cgroup; "
    "a container without limits needs no cgroup"
)


class ScopeName(Record):
    """The scope that is asked for; `scope` without ".scope"."""

    slice: str
    scope: str


def read(wanted: str, name: str) -> ScopeName:
    """The scope of linux.cgroupsPath, or the default one of the container `name`. Pure."""
    default = "user.slice" if os.getuid() or subtrees.facts().uid else "system.slice"
    if not wanted:
        return ScopeName(default, f"rootless-oci-{name}")
    words = wanted.split(":")
    if len(words) != 3 or not words[2] or "/" in wanted:
        raise InvalidInput(
            f"config.json: linux.cgroupsPath: {wanted!r} is not SLICE:PREFIX:NAME, as systemd's scopes are named"
        )
    slice_name, prefix, last = words
    if slice_name and not slice_name.endswith(".slice"):
        raise InvalidInput(f"config.json: linux.cgroupsPath: {slice_name!r} is not the name of a slice")
    return ScopeName(slice_name or default, f"{prefix}-{last}" if prefix else last)


def is_meant(wanted: str) -> bool:
    """Whether linux.cgroupsPath speaks of systemd, whatever the command line says. Pure."""
    return wanted.count(":") == 2 and wanted.partition(":")[0].endswith(".slice")


def start(wanted: ScopeName, name: str, pid: int, *, settings: list[Setting], now: list[Setting]) -> str:
    """Put the process `pid` into a new scope, and there into the container's cgroup, whose directory is
    returned. The scope has the totals of `now`. Raises Unavailable (no D-Bus, or one that hangs),
    NotSupported (systemd refuses)."""
    from rootless.cgroup import systemd as scope

    known = subtrees.facts()
    demand(known)
    try:
        directory = scope.start(
            known,
            wanted.scope,
            description=f"rootless-oci container {name}",
            slice_name=wanted.slice,
            settings=settings,
            pid=pid,
            whole=tuple(now),
        )
    except (Unavailable, NotSupported) as error:
        raise type(error)(
            f"cannot make the scope {wanted.scope}.scope: {error.message}", hint=error.hint or _hint(known.uid)
        ) from None
    path = f"{directory}/{LEAF}"
    os.makedirs(path, 0o755, exist_ok=True)
    cgroupfs.write(path + "/cgroup.procs", str(pid))
    return path


def demand(known: subtrees.Facts) -> None:
    """NotSupported where a scope is not to be had, or not to be asked for: in a job of a batch system."""
    if not known.mount:
        raise NotSupported(
            "this host has no cgroup v2, and so no scope of systemd for the container", hint=_WITHOUT
        )
    if known.uid and (batch := subtrees.batch_system(known.text)):
        raise NotSupported(
            f"a scope of systemd would leave the cgroup of this job of {batch}",
            hint=f"{subtrees.search(known).hint}\n{_WITHOUT}",
        )


def _hint(uid: int) -> str:
    if not os.path.isdir("/run/systemd/system"):
        return f"systemd does not run here; {_WITHOUT}"
    if not uid:
        return f"look at `systemctl status`; {_WITHOUT}"
    return (
        "look at `systemctl --user status`: it needs a login by ssh or at the console, or lingering "
        f"(`loginctl enable-linger {uid}`); {_WITHOUT}"
    )


def change(unit: str, lines: list[Setting]) -> None:
    """Let the scope have what of these limits it has, too. Raises as `start`."""
    from rootless.cgroup import systemd as scope

    scope.set_properties(subtrees.facts(), unit, [*scope.weights(lines), *scope.totals(lines)])


def remove(directory: str, unit: str) -> None:
    """The scope's end, its processes having been killed. systemd removes a scope by itself when its last
    process has ended; one that stays is stopped."""
    import time

    deadline = time.monotonic() + _GONE_S
    while os.path.exists(directory):
        if time.monotonic() > deadline:
            _stop(unit)
            return
        time.sleep(0.005)


def _stop(unit: str) -> None:
    from rootless.cgroup import systemd as scope

    try:
        scope.stop(subtrees.facts(), unit)
    except RootlessError as error:
        os.write(2, f"rootless-oci: warning: {unit} could not be stopped: {error}\n".encode())
