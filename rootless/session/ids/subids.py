"""What stands between this user and a full range of ids: newuidmap, its rights, /etc/subuid."""

from __future__ import annotations

import os
import stat

from rootless.finding import Finding
from rootless.session import run_program
from rootless.session.diagnosis import no_new_privileges, read_fact
from rootless.session.ids import idmap
from rootless.session.ids.idmap import IdRange, SubordinateRange

_USUAL_SIZE = 65536
_FIRST_SUBID = 100000  # login.defs(5), SUB_UID_MIN
_EFFECT = "containers have one user id only: what other users they have is emulated, or fails"

_PACKAGES = {
    "debian": "sudo apt-get install uidmap",
    "fedora": "sudo dnf install shadow-utils",
    "rhel": "sudo dnf install shadow-utils",
    "suse": "sudo zypper install shadow",
    "arch": "sudo pacman -S shadow",
    "alpine": "sudo apk add shadow-uidmap",
}


def install_command(*, etc: str = "/etc") -> str:
    """How an administrator of this distribution gets newuidmap, by os-release(5)."""
    ids: list[str] = []
    for line in (read_fact(os.path.join(etc, "os-release")) or "").splitlines():
        key, _, value = line.partition("=")
        if key in ("ID", "ID_LIKE"):
            ids += value.strip("\"'").split()
    for name in ids:
        if name in _PACKAGES:
            return _PACKAGES[name]
    return "install newuidmap and newgidmap (package uidmap, shadow or shadow-utils)"


def helper_program(name: str, *, path: str | None = None, etc: str = "/etc") -> Finding | None:
    """Whether newuidmap or newgidmap is there and has the rights it needs."""
    path = path or run_program.find(name)
    if path is None:
        return Finding(f"{name} is not installed", _EFFECT, "", install_command(etc=etc))
    status = os.stat(path)
    setuid = bool(status.st_mode & stat.S_ISUID) and status.st_uid == 0
    if not setuid and not _has_file_capabilities(path):
        kind = "cap_setuid" if name == "newuidmap" else "cap_setgid"
        return Finding(
            f"{path} has no rights: neither setuid root nor a file capability (`getcap {path}` is empty)",
            _EFFECT,
            "",
            f"sudo setcap {kind}+ep {path}    (or: sudo chmod u+s {path})",
        )
    if os.statvfs(path).f_flag & os.ST_NOSUID:
        return Finding(f"{path} is on a filesystem mounted nosuid", _EFFECT, "",
                       f"sudo mount -o remount,suid \"$(findmnt -n -o TARGET -T {path})\"")  # fmt: skip
    return None


def _has_file_capabilities(path: str) -> bool:
    try:
        return bool(os.getxattr(path, "security.capability"))
    except OSError:
        return False


def free_start(*, etc: str = "/etc") -> int:
    """The first id from which on nothing is granted in either file."""
    ends = [
        entry.start + entry.size
        for kind in ("uid", "gid")
        for _, entry in idmap.subordinate_entries(kind, etc=etc)
    ]
    return max([_FIRST_SUBID, *ends])


def grant_command(user: str | None, uid: int, kinds: list[str], *, etc: str = "/etc") -> str:
    """The exact command that grants 65536 ids to this user."""
    start = free_start(etc=etc)
    passwd = read_fact(os.path.join(etc, "passwd")) or ""
    local = any(line.partition(":")[0] == user for line in passwd.splitlines())
    if user is not None and local:
        words = " ".join(f"--add-sub{kind}s {start}-{start + _USUAL_SIZE - 1}" for kind in kinds)
        return f"sudo usermod {words} {user}"
    # usermod knows no users of LDAP and the like; the files do not mind.
    files = " ".join(f"/etc/sub{kind}" for kind in kinds)
    return f"echo {user or uid}:{start}:{_USUAL_SIZE} | sudo tee -a {files}"


def ranges(
    user: str | None, uid: int, *, available: dict[str, list[IdRange]] | None = None, etc: str = "/etc"
) -> Finding | None:
    """Whether both files grant this user ids, and ids that exist in this namespace."""
    granted = {kind: idmap.subordinate_ranges(user, uid, kind, etc=etc) for kind in ("uid", "gid")}
    missing = [kind for kind, entries in granted.items() if not entries]
    if missing:
        files = " and ".join(f"/etc/sub{kind}" for kind in missing)
        who = user or f"uid {uid}"
        return Finding(f"{who} has no entry in {files}", _EFFECT, "",
                       grant_command(user, uid, missing, etc=etc))  # fmt: skip
    for kind, entries in granted.items():
        if available is not None and not idmap.within(entries, available[kind]):
            shown = ", ".join(f"{start}-{start + size - 1}" for start, size in entries)
            return Finding(
                f"none of the ids in /etc/sub{kind} ({shown}) exists in this container",
                _EFFECT,
                "",
                f"inside this container, an entry in /etc/sub{kind} within its own ids: "
                + "; ".join(f"{r.inside}-{r.inside + r.size - 1}" for r in available[kind]),
            )
    return None


def shared_ranges(user: str | None, uid: int, *, etc: str = "/etc") -> list[Finding]:
    """Ids that another user may map too: no obstacle, but each could own the other's files."""
    names = {user, str(uid)}
    findings = []
    for kind in ("uid", "gid"):
        entries = idmap.subordinate_entries(kind, etc=etc)
        mine = [entry for owner, entry in entries if owner in names]
        others = {owner for owner, entry in entries
                  if owner not in names and any(_overlap(entry, own) for own in mine)}  # fmt: skip
        for owner in sorted(others):
            findings.append(
                Finding(
                    f"/etc/sub{kind} grants ids of {user or uid} to {owner} as well",
                    "containers of both users can reach each other's files",
                    "",
                    f"give one of them other ids in /etc/sub{kind}; {free_start(etc=etc)} is free",
                )
            )
    return findings


def _overlap(one: SubordinateRange, other: SubordinateRange) -> bool:
    return one.start < other.start + other.size and other.start < one.start + one.size


def few_ids(user: str | None, uid: int, *, etc: str = "/etc") -> Finding | None:
    """Whether fewer than the usual 65536 ids are granted."""
    for kind in ("uid", "gid"):
        total = sum(entry.size for entry in idmap.subordinate_ranges(user, uid, kind, etc=etc))
        if 0 < total < _USUAL_SIZE:
            return Finding(
                f"{user or uid} has {total} subordinate {kind}s, fewer than {_USUAL_SIZE}",
                f"images with files of {kind}s above {total} (often nobody, 65534) cannot be stored exactly",
                "",
                grant_command(user, uid, [kind], etc=etc),
            )
    return None


def obstacle(
    uid: int, user: str | None, *, available: dict[str, list[IdRange]] | None = None, etc: str = "/etc"
) -> Finding | None:
    """The first reason why this user gets a single id only; None: all is there."""
    if user is None:
        return Finding(
            f"nobody knows the name of uid {uid} (no passwd entry), and newuidmap wants one",
            _EFFECT,
            "",
            f"an account for uid {uid}, in /etc/passwd or by nsswitch.conf (sssd, LDAP)",
        )
    return (
        helper_program("newuidmap", etc=etc)
        or helper_program("newgidmap", etc=etc)
        or no_new_privileges()
        or ranges(user, uid, available=available, etc=etc)
    )


def findings(uid: int, user: str | None) -> list[Finding]:
    """All that `doctor` should say about ids; `uid` and `user` as outside of the session."""
    found = [obstacle(uid, user), few_ids(user, uid), *shared_ranges(user, uid)]
    return [finding for finding in found if finding is not None]


def newidmap_hint(program: str, output: str) -> str:
    """The hint for newuidmap or newgidmap that ran and failed, by its output."""
    kind = "uid" if program == "newuidmap" else "gid"
    if "owned by a different user" in output:
        return "you are in a shell of newgrp or sg: run the first rootless command in a fresh login shell"
    if "not allowed" in output:
        return f"/etc/sub{kind} does not grant these ids (any more): `getsubids` shows what it does"
    if "Operation not permitted" in output:
        return (
            f"{program} has lost its rights: sudo setcap cap_set{kind}+ep $(command -v {program})\n"
            "in a container: start the outer one with --cap-add SYS_ADMIN or more ids"
        )
    return f"`getsubids` and /etc/sub{kind} show what {program} may map"
