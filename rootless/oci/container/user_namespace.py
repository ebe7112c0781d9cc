"""Whose ids a container gets, and whether it needs a user namespace of its own.

Callers are of four kinds: an ordinary user, whose container always gets a user namespace; root of a user
namespace that its caller made (Podman's), root of a container, and real root: there the configuration decides.
Hot path.
"""

from __future__ import annotations

import os

from rootless.errors import InvalidInput
from rootless.record import TYPE_CHECKING, Record
from rootless.runtime import namespaces

if TYPE_CHECKING:
    from typing import Any

_CAP_SYS_ADMIN = 21


class Maps(Record):
    """A new user namespace's maps as text, and how they are written: "direct", "single" (our own id
    alone, without privilege) or "helpers" (newuidmap and newgidmap)."""

    uid: str
    gid: str
    how: str


def is_capable() -> bool:
    """Whether we may make namespaces without a user namespace of our own."""
    with open("/proc/self/status") as file:
        for line in file:
            if line.startswith("CapEff:"):
                return bool(int(line.split()[1], 16) >> _CAP_SYS_ADMIN & 1)
    return False


def wants_user_namespace(linux: dict[str, Any], *, capable: bool) -> bool:
    """Whether to make a user namespace: the configuration asks for one, or we could do nothing without. False where
    linux.namespaces gives the path of one to join."""
    for entry in linux.get("namespaces") or []:
        if entry["type"] == "user":
            return not entry.get("path")
    return not capable


def maps(linux: dict[str, Any], *, capable: bool) -> Maps:
    """The maps of the container's new user namespace."""
    uid, gid = linux.get("uidMappings") or [], linux.get("gidMappings") or []
    if bool(uid) != bool(gid):
        missing = "gidMappings" if uid else "uidMappings"
        raise InvalidInput(f"config.json: linux.{missing}: is required where the other one is given")
    if capable:
        if not uid and os.getuid() == 0 and is_initial():
            raise InvalidInput("config.json: linux.uidMappings: is required for real root's user namespace")
        return Maps(namespaces.id_map("uid", uid), namespaces.id_map("gid", gid), "direct")
    if not uid:
        return _own_ranges()
    text = Maps(_lines(uid), _lines(gid), "helpers")
    single = all(len(entries) == 1 and entries[0]["size"] == 1 for entries in (uid, gid))
    if single and uid[0]["hostID"] == os.geteuid() and gid[0]["hostID"] == os.getegid():
        return text._replace(how="single")
    return text


def gid_map(linux: dict[str, Any], new: Maps | None) -> str:
    """The lines of gid_map of the container's user namespace: of `new`, of the one it joins, or ours. All ids where
    the one it joins is no process's path: then the kernel refuses what has none."""
    if new is not None:
        return new.gid
    path = next((entry.get("path") for entry in linux.get("namespaces") or [] if entry["type"] == "user"), None)
    source = "/proc/self/gid_map"
    if path:
        process, separator, _ = path.rpartition("/ns/user")
        if not separator or os.path.dirname(process) != "/proc":
            return "0 0 4294967295"
        source = f"{process}/gid_map"
    with open(source) as file:
        return file.read()


def is_initial() -> bool:
    """Whether our user namespace is the machine's own, as far as its map says."""
    with open("/proc/self/uid_map") as file:
        return file.read().split() == ["0", "0", "4294967295"]


def _lines(entries: list[dict[str, int]]) -> str:
    return "".join(f"{entry['containerID']} {entry['hostID']} {entry['size']}\n" for entry in entries)


def _own_ranges() -> Maps:
    """All ids of this account, as the engine's session maps them."""
    from rootless.session.ids import idmap, mapping

    plan = mapping.plan(os.getuid(), os.getgid())
    how = "single" if plan.single_id else "direct" if plan.direct else "helpers"
    return Maps(idmap.format_map(plan.uid), idmap.format_map(plan.gid), how)


def write_maps(pid: int, wanted: Maps) -> None:
    """Write them for `pid`, our child in a user namespace it has just made."""
    if wanted.how == "helpers":
        from rootless.session.ids import mapping

        mapping.write_with_helpers(pid, uid=wanted.uid.split(), gid=wanted.gid.split())
        return
    if wanted.how == "single":
        fd = os.open(f"/proc/{pid}/setgroups", os.O_WRONLY | os.O_CLOEXEC)
        os.write(fd, b"deny")
        os.close(fd)
    namespaces.write_map(pid, "uid", wanted.uid)
    namespaces.write_map(pid, "gid", wanted.gid)
