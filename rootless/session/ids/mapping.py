"""Which ids a session maps on this host, and how the map gets written.

The ladder: all subordinate ranges by newuidmap and newgidmap; the caller's single id; and for
root of a container (a container in a container) everything it has, written without help.
Only used when a session starts.
"""

from __future__ import annotations

import os
from typing import NamedTuple

from rootless.errors import NotSupported
from rootless.session import run_program
from rootless.session.ids import idmap, subids
from rootless.session.ids.idmap import IdRange


class IdMapping(NamedTuple):
    uid: list[IdRange]
    gid: list[IdRange]
    single_id: bool
    direct: bool  # we may write it ourselves: no newuidmap
    reason: str  # why it is a single id, else ""
    hint: str  # what to do about that


def user_name(uid: int) -> str | None:
    """The user's name, from wherever nsswitch looks; None where nobody knows the uid."""
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return None


def plan(uid: int, gid: int) -> IdMapping:
    """What a session of this user would map now. Reads files, changes nothing."""
    own = {"uid": uid, "gid": gid}
    available = {kind: idmap.current_map(kind) for kind in own}
    if uid == 0:
        # Root of a user namespace: keep every id we have as what it is.
        maps = {kind: idmap.identity(available[kind]) for kind in own}
        single = sum(r.size for r in maps["uid"]) == 1
        reason = "this container itself has a single id" if single else ""
        return IdMapping(maps["uid"], maps["gid"], single, not single, reason, "")
    name = user_name(uid)
    obstacle = subids.obstacle(uid, name, available=available)
    if obstacle is not None:
        one = {kind: [IdRange(0, own[kind], 1)] for kind in own}
        return IdMapping(one["uid"], one["gid"], True, True, obstacle.what, obstacle.hint)
    granted = {kind: idmap.within(idmap.subordinate_ranges(name, uid, kind), available[kind]) for kind in own}
    maps = {kind: idmap.session_map(own[kind], granted[kind]) for kind in own}
    return IdMapping(maps["uid"], maps["gid"], False, False, "", "")


def write(pid: int, mapping: IdMapping) -> None:
    """Write the maps of the user namespace that `pid`, our child, has just made."""
    if mapping.single_id or mapping.direct:
        _write_directly(pid, mapping)
    else:
        uid, gid = (idmap.format_map(ranges).split() for ranges in (mapping.uid, mapping.gid))
        write_with_helpers(pid, uid=uid, gid=gid)


def _write_directly(pid: int, mapping: IdMapping) -> None:
    if mapping.single_id:
        # user_namespaces(7): without privilege a gid_map is only taken once setgroups is denied.
        _write(f"/proc/{pid}/setgroups", "deny")
    _write(f"/proc/{pid}/uid_map", idmap.format_map(mapping.uid))
    _write(f"/proc/{pid}/gid_map", idmap.format_map(mapping.gid))


def _write(path: str, text: str) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, text.encode())
    except OSError as error:
        from rootless.session import diagnosis

        raise NotSupported(
            f"cannot write the id map: {path}: {error.strerror}", hint=diagnosis.map_write_hint()
        ) from error
    finally:
        os.close(fd)


def write_with_helpers(pid: int, *, uid: list[str], gid: list[str]) -> None:
    """newuidmap(1) and newgidmap(1) for `pid`, each with the words of its map; both at once, for each
    takes a process start. NotSupported with a hint where one is missing or refuses."""
    running = []
    try:
        for program, words in (("newuidmap", uid), ("newgidmap", gid)):
            path = run_program.find(program)
            if path is None:
                raise NotSupported(
                    f"{program} is not installed: the container's ids cannot be mapped",
                    hint=subids.install_command(),
                )
            running.append((program, run_program.start([path, str(pid), *words])))
    finally:
        results = [(program, run_program.finish(started)) for program, started in running]
    for program, result in results:
        if result.status != 0:
            output = result.output.replace("\n", "; ") or f"exit status {result.status}"
            raise NotSupported(f"{program} failed: {output}", hint=subids.newidmap_hint(program, output))
