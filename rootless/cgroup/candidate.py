"""One place where a container's cgroup may be made, tried: the cgroup with its limits, or why not there.

The engine tries the places of its ladder (create.py), rootless-oci that of linux.cgroupsPath before them
(oci/cgroup/cgroupfs.py). Which failure ends the search is theirs to say. Hot path.
"""

from __future__ import annotations

import errno
import os

from rootless.cgroup import apply, cgroupfs, subtrees
from rootless.cgroup.limits import Setting
from rootless.errors import NotSupported, RootlessError
from rootless.record import Record

CONTROLLERS = frozenset(("cpu", "cpuset", "io", "memory", "pids"))
SETUP_BYTES = 64 << 20
"""The Python that sets a container up, before it executes the command, may not fit into less memory."""


class Candidate(Record):
    """A cgroup that may be made at `path`.

    `controllers` are handed down to it, from the directory `top` on. `entered`: whether a process of ours
    goes in to see whether that is allowed. `where` names the place in errors.
    """

    path: str
    top: str
    controllers: frozenset[str]
    entered: bool
    where: str


class Cgroup(Record):
    """A cgroup that was made. `fd`: a descriptor of its directory, the caller's. `held`: the settings that
    hold in it; of those `later` are still to be written, when the command runs."""

    path: str
    fd: int
    held: list[Setting]
    later: tuple[Setting, ...]


class Refusal(Record):
    """Why there is no cgroup at a candidate. `error`: what we say of it ourselves; None where the kernel
    refused a step, which is what another place may be better for."""

    message: str
    error: NotSupported | None = None


def try_candidate(
    candidate: Candidate, settings: list[Setting], hint: str, *, dispensable: list[Setting] | None = None
) -> Cgroup | Refusal:
    """Make the cgroup with `settings`; those that are `dispensable` are left out where their controller is
    missing. `hint`: who can give controllers. A RootlessError is of the limit itself and would be the same at
    any place. Nothing is left but where a Cgroup is returned."""
    directory = os.path.dirname(candidate.path)
    try:
        os.makedirs(directory, 0o755, exist_ok=True)
        given = hand_down(candidate.top, directory, candidate.controllers)
        fd = cgroupfs.create(candidate.path)
    except OSError as error:
        return _refusal(candidate, error)
    held = [one for one in settings if one.controller in (given | {"cgroup"})]
    lacking = [one for one in settings if one not in held and one not in (dispensable or [])]
    now, later = split(held)
    try:
        if lacking:
            raise lacks(lacking, candidate.where, hint)
        apply.apply(candidate.path, now)
        if candidate.entered:
            _enter(candidate.path)
        return Cgroup(candidate.path, fd, held, later)
    except OSError as error:
        refusal = _refusal(candidate, error)
    except NotSupported as error:
        refusal = Refusal(error.message, error)
    except RootlessError:
        os.close(fd)
        cgroupfs.remove(candidate.path, 0)
        raise
    os.close(fd)
    cgroupfs.remove(candidate.path, 0)
    return refusal


def _refusal(candidate: Candidate, error: OSError) -> Refusal:
    return Refusal(f"{error.filename or candidate.path}: {error.strerror}")


def hand_down(top: str, directory: str, controllers: frozenset[str]) -> frozenset[str]:
    """Enable `controllers` for the children of `top` and of all below it down to `directory`; those that the
    children of `directory` have then. Processes in `directory` itself move to a leaf of it. OSError."""
    if not controllers:
        return controllers
    chain = [directory]
    while chain[-1] != top and len(chain) < 32:
        chain.append(os.path.dirname(chain[-1]))
    for path in reversed(chain[1:]):
        try:
            cgroupfs.enable(path, controllers)
        except OSError:
            continue  # it may hand them down already; what is missing in the end is told
    try:
        return cgroupfs.enable(directory, controllers)
    except OSError as error:
        if error.errno != errno.EBUSY:
            raise
    cgroupfs.clear(directory, f"{directory}/{subtrees.LEAF}")
    return cgroupfs.enable(directory, controllers)


def _enter(path: str) -> None:
    """OSError where a process of ours may not be put there, as a child finds out that goes in and ends."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            cgroupfs.write(path + "/cgroup.procs", "0")
            code = 0
        except OSError as error:
            code = error.errno or 1
        finally:
            os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code:
        raise OSError(code, os.strerror(code), path + "/cgroup.procs")


def split(settings: list[Setting]) -> tuple[list[Setting], tuple[Setting, ...]]:
    """What is set before the container is set up, and what would be in the way of that. Pure."""
    later = tuple(
        one
        for one in settings
        if one.file == "memory.max" and one.values[0].isdecimal() and int(one.values[0]) < SETUP_BYTES
    )
    return [one for one in settings if one not in later], later


def lacks(lacking: list[Setting], where: str, hint: str) -> NotSupported:
    """The error for settings whose controllers are not to be had at `where`; the hint names these, too. Pure."""
    names = ", ".join(dict.fromkeys(one.asked_as for one in lacking if not one.default))
    controllers = {one.controller for one in lacking}
    more = " ".join(sorted(controllers - CONTROLLERS))
    return NotSupported(
        f"{names} cannot be enforced: the controller {', '.join(sorted(controllers))} is not delegated to {where}",
        hint=hint.replace(subtrees.DELEGATED, f"{subtrees.DELEGATED} {more}".rstrip()),
    )


def needed(settings: list[Setting]) -> frozenset[str]:
    """The controllers of the settings. Pure."""
    return frozenset(one.controller for one in settings) - {"cgroup"}


def outgrown(path: str) -> str:
    """The file of the limit that has stopped what was started in the cgroup: "memory.max", "pids.max" or ""."""
    if cgroupfs.events(path, "memory.events").get("oom_kill"):
        return "memory.max"
    return "pids.max" if cgroupfs.events(path, "pids.events").get("max") else ""
