"""A container's cgroup and its limits, at the first place of the ladder that has them, or an error that says
who can mend it.

Runs in the process that becomes the container's monitor, before the container is cloned: with
systemd, that process moves into the scope, beside the container's cgroup and not into it, so
that limits hold for the container alone.

    the user's scope          rootless-NAME-ID.scope/supervisor   monitor, network
                              rootless-NAME-ID.scope/container    the container: limits, freeze, kill
    any other subtree         SUBTREE/rootless-NAME-ID            the container
                              SUBTREE/rootless-leaf               what was in SUBTREE itself

Hot path.
"""

from __future__ import annotations

import os
import sys

from rootless.cgroup import cgroupfs, limits, subtrees
from rootless.cgroup.candidate import CONTROLLERS, Candidate, Refusal, lacks, try_candidate
from rootless.errors import InvalidInput, NotSupported, Unavailable
from rootless.record import TYPE_CHECKING, Record

if TYPE_CHECKING:
    from typing import Any

DEFAULT_PIDS = 2048
SLICE = "user.slice"
_ACCOUNT = "this account"  # whom controllers are delegated to
_MOVE = "only an administrator may move a process there from outside: echo PID > .../cgroup.procs"
NOTHING = "nothing: this host cannot"
"""What holds a limit that was left out."""
IN_USER_NAMESPACE = "user namespace (RLIMIT_NPROC)"


class CgroupRequest(Record):
    """What a container asks for: a name (cgroupfs.name_of), linux.resources, and where. `mode`: "enabled",
    "disabled" (no cgroup), "inherit" (below the cgroup we are in, or none). `parent`: --cgroup-parent.
    `own_user_namespace`: whether the container's is made for it, so that it can be counted by. `lenient`: what this host
    cannot limit is left out, and said."""

    name: str
    description: str
    resources: dict[str, Any]
    mode: str = "enabled"
    parent: str = ""
    own_user_namespace: bool = True
    lenient: bool = False


class CgroupResult(Record):
    """What a container got. `path` and `fd` (the caller's): its cgroup, "" and -1 for none.
    `processes`: how many its user namespace may hold at most, 0: no matter. `unit`: systemd's scope.
    `later`: what is to be set when the command runs, because setting the container up would not fit.
    `limits`: each limit that is in force and what holds it. `why`: why there is no better. `left_out`: which limits are
    not in force and why, of a lenient request."""

    path: str = ""
    fd: int = -1
    processes: int = 0
    how: str = "none"
    unit: str = ""
    limits: dict[str, str] = {}
    why: str = ""
    warning: str = ""
    later: tuple[limits.Setting, ...] = ()
    left_out: str = ""


def create_cgroup(request: CgroupRequest) -> CgroupResult:
    """Make the container's cgroup and set its limits. A limit that was asked for and cannot be set is
    NotSupported, or left out of a lenient request; the default one on processes is a warning then. Nothing is left where
    this raises."""
    wanted = limits.settings(request.resources)
    try:
        return _create(request._replace(lenient=False), _with_io(wanted))
    except NotSupported as error:
        if not request.lenient or request.mode == "disabled":
            raise
        return _create_with_less(request, wanted, error.message)


def _create_with_less(request: CgroupRequest, wanted: list[limits.Setting], why: str) -> CgroupResult:
    found = _create(request, [one for one in wanted if one.file != "io.weight" or _heeded(one)])
    lacking = [one.limit for one in wanted if not one.default and one.limit not in found.limits and one.values != (limits.MAXIMUM,)]
    return found._replace(limits={**found.limits, **dict.fromkeys(lacking, NOTHING)}, left_out=why if lacking else "")


def _heeded(setting: limits.Setting) -> bool:
    try:
        _with_io([setting])
    except NotSupported:
        return False
    return True


def _with_io(wanted: list[limits.Setting]) -> list[limits.Setting]:
    """`wanted`; NotSupported where it has a weight that no disk heeds."""
    if any(one.controller == "io" for one in wanted):
        from rootless.cgroup import io_weights

        io_weights.require(wanted)
    return wanted


def _create(request: CgroupRequest, wanted: list[limits.Setting]) -> CgroupResult:
    if request.mode == "disabled":
        return _without(request, wanted, "--cgroups=disabled was given", "leave --cgroups=disabled out")
    found = subtrees.search()
    why = ""
    hint = found.hint
    allowed = _allowed(request, found)
    if request.lenient:
        allowed = sorted(allowed, key=lambda subtree: len(limits.missing(wanted, subtree.controllers)))
    for subtree in allowed:
        lacking = [one for one in limits.missing(wanted, subtree.controllers) if not _otherwise(request, one)]
        if lacking:
            why = lacks(lacking, _ACCOUNT, hint).message
            continue
        try:
            made = _make(request, subtree, wanted, found.hint)
        except OSError as error:  # before there was a candidate: systemd's scope
            made = Refusal(f"{error.filename or subtree.path}: {error.strerror}")
        except Unavailable as error:
            why = error.message
            hint = (
                "look at `systemctl --user status`; if that hangs, too, log out and in, or the administrator runs: "
                f"systemctl restart user@{subtrees.facts().uid}.service"
            )
            _refuse_if_named(request, subtree, why, hint)
            continue
        except NotSupported as error:
            made = Refusal(error.message, error)
        if isinstance(made, CgroupResult):
            return made
        if made.error is None:
            why = f"{subtree.how} cgroup: {made.message}"
            advice = f"run this from within {subtree.path}, or leave it out; {_MOVE}"
            _refuse_if_named(request, subtree, why, advice)
        elif subtree.how == "systemd" or request.lenient:
            why = made.message
            _refuse_if_named(request, subtree, why, hint)
        else:
            raise made.error
    return _without(request, wanted, why or "no cgroup of this account's own", hint)


def _refuse_if_named(request: CgroupRequest, subtree: subtrees.Subtree, why: str, hint: str) -> None:
    """NotSupported where the user named the subtree: with the next one they would not get what they asked for."""
    named = ""
    if request.parent:
        named = f"--cgroup-parent {request.parent}"
    elif subtree.how == "admin" and os.environ.get(subtrees.ROOT_VARIABLE):
        named = f"${subtrees.ROOT_VARIABLE}"
    if named:
        raise NotSupported(f"{named} cannot be used: {why}", hint=hint)


def _allowed(request: CgroupRequest, found: subtrees.Search) -> list[subtrees.Subtree]:
    candidates = [one for one in found.subtrees if request.mode != "inherit" or one.how == "delegated"]
    if request.parent.endswith(".slice"):
        if "/" in request.parent or not any(one.how == "systemd" for one in candidates):
            raise InvalidInput(
                f"--cgroup-parent {request.parent}: no systemd of this user makes slices here", hint=found.hint
            )
        return [one for one in candidates if one.how == "systemd"]
    if request.parent:
        below = [one for one in candidates if one.path]
        if not below:
            raise InvalidInput(
                f"--cgroup-parent {request.parent}: there is no subtree of ours to make it in",
                hint="with systemd name a slice, for example work.slice" if candidates else found.hint,
            )
        return [_below(request.parent, one) for one in below[:1]]
    return candidates


def _below(parent: str, subtree: subtrees.Subtree) -> subtrees.Subtree:
    """The directory that --cgroup-parent means: relative to the subtree, or a path in the hierarchy within it."""
    mount = subtrees.mount_point()
    path = os.path.normpath(f"{mount}{parent}" if parent.startswith("/") else f"{subtree.path}/{parent}")
    if ".." in parent.split("/") or not (path + "/").startswith(subtree.path.rstrip("/") + "/"):
        raise InvalidInput(
            f"--cgroup-parent {parent} is outside of the subtree that is ours",
            hint=f"name a path below {subtree.path.removeprefix(mount) or '/'}, or one without a / at its front",
        )
    return subtree._replace(path=path)


def _make(
    request: CgroupRequest, subtree: subtrees.Subtree, wanted: list[limits.Setting], hint: str
) -> CgroupResult | Refusal:
    unit = ""
    if subtree.how == "systemd":
        from rootless.cgroup import systemd
        from rootless.cgroup.bus import PATIENCE_S, TIMEOUT_S

        unit = systemd.unit_name(request.name)
        known = subtrees.facts()
        if known.own.endswith(f"/{unit}/supervisor"):
            # Our monitor of before starts the container again: systemd still has the scope.
            directory = os.path.dirname(known.directory)
            systemd.set_weights(known, unit, wanted)
        else:
            directory = systemd.start(
                known,
                request.name,
                description=request.description,
                slice_name=request.parent or SLICE,
                settings=wanted,
                # A start without limits, or one that may leave them out, has nothing to lose by another rung.
                answers_s=PATIENCE_S if not request.lenient and any(not one.default for one in wanted) else TIMEOUT_S,
            )
        os.makedirs(directory + "/supervisor", 0o755, exist_ok=True)
        cgroupfs.write(directory + "/supervisor/cgroup.procs", "0")
        path = directory + "/container"
    else:
        directory = subtree.path
        cgroupfs.sweep(directory)
        path = f"{directory}/{request.name}"
    # But for an administrator's subtree we are below the directory that is ours, and may enter it.
    candidate = Candidate(path, directory, subtree.controllers & CONTROLLERS, subtree.how == "admin", _ACCOUNT)
    dispensable = [one for one in wanted if _otherwise(request, one)]
    made = try_candidate(candidate, wanted, hint, dispensable=dispensable)
    if isinstance(made, Refusal):
        return made
    held = {one.limit: f"cgroup {one.file}" for one in made.held}
    rest = [one for one in wanted if one not in made.held]
    processes, warning = _by_user_namespace(request, rest, held)
    return CgroupResult(path, made.fd, processes, subtree.how, unit, held, "", warning, made.later)


def _without(request: CgroupRequest, wanted: list[limits.Setting], why: str, hint: str) -> CgroupResult:
    lacking = [one for one in wanted if not _otherwise(request, one)]
    if lacking:
        options = ", ".join(f"--{one.limit}" for one in lacking if not one.default)
        told = why if "cannot be enforced" in why else f"{options} cannot be enforced: {why}"
        raise NotSupported(told, hint=hint)
    held: dict[str, str] = {}
    processes, warning = _by_user_namespace(request, wanted, held)
    return CgroupResult(processes=processes, limits=held, why=why, warning=warning)


def _otherwise(request: CgroupRequest, setting: limits.Setting) -> bool:
    """Whether the limit can be held without its controller, or may be left out: what nobody asked for, or limits nothing."""
    if request.lenient or setting.default:
        return True
    if setting.limit != "pids-limit":
        return False
    if setting.values == (limits.MAXIMUM,):
        return True
    return request.own_user_namespace and counts_by_namespace()


def _by_user_namespace(request: CgroupRequest, rest: list[limits.Setting], held: dict[str, str]) -> tuple[int, str]:
    for setting in rest:
        if setting.limit != "pids-limit" or setting.values == (limits.MAXIMUM,):
            continue
        if request.own_user_namespace and counts_by_namespace():
            held[setting.limit] = IN_USER_NAMESPACE
            return int(setting.values[0]), ""
        if request.own_user_namespace:
            return 0, "the number of processes in the container is not limited: that takes a cgroup or Linux 5.14"
        # It counts among those of the container whose user namespace it joins.
        held[setting.limit] = "that of the container whose namespaces it shares"
    return 0, ""


def counts_by_namespace() -> bool:
    """Whether RLIMIT_NPROC counts per user namespace: Linux 5.14."""
    if sys.platform != "linux":
        return False
    major, _, rest = os.uname().release.partition(".")
    minor = rest.partition(".")[0].partition("-")[0]
    return (int(major), int(minor) if minor.isdecimal() else 0) >= (5, 14)
