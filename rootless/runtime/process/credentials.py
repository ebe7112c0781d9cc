"""Who the container's process is and what it may do: the last steps before its command.

Shared by launch and exec; runs inside the container, in a process about to exec. The order is
the kernel's: groups, gid and uid while root; the filter while CAP_SYS_ADMIN is held or no new
privileges can be gained; capabilities last. Hot path.
"""

from __future__ import annotations

import errno
import os

from rootless import inherited
from rootless.errors import InvalidInput, NotSupported
from rootless.linux import rlimit
from rootless.linux.capability import last_cap, set_capabilities
from rootless.linux.keyring import join_new_session_keyring
from rootless.linux.process import (
    CLOSE_RANGE_CLOEXEC,
    close_range,
    set_dumpable,
    set_keep_capabilities,
    set_no_new_privs,
)
from rootless.linux.seccomp import SECCOMP_FILTER_FLAG_NEW_LISTENER, load_filter
from rootless.record import TYPE_CHECKING, Record
from rootless.runtime.process import landlock
from rootless.runtime.process.capabilities import Capabilities, read_capabilities
from rootless.runtime.process.passwd import User, find_user
from rootless.runtime.rootfs_path import open_proc_file

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


# Podman's word in place of groups: those of the caller.
KEEP_GROUPS = "keep-groups"


_OVERFLOW_ID = 65534
"""What an id is that has no number in the user namespace."""


class Filter(Record):
    """A compiled seccomp filter; empty `bpf`: none."""

    bpf: bytes = b""
    flags: int = 0
    kills: bool = False  # a process that asks for what is not listed


def set_rlimits(process: dict[str, Any]) -> None:
    """process.rlimits, setrlimit(2); of what they do not name, the caller's."""
    inherited.give_descriptors_back()
    for limit in process.get("rlimits") or []:
        name, soft, hard = limit["type"], _limit(limit["soft"]), _limit(limit["hard"])
        if name not in rlimit.NUMBERS:
            raise InvalidInput(f"unknown rlimit {name!r}")
        try:
            rlimit.set_limit(name, soft, hard)
        except OSError as error:
            short = name.removeprefix("RLIMIT_").lower()
            if hard != -1 and (soft == -1 or soft > hard):
                raise InvalidInput(f"ulimit {short}: soft limit exceeds hard limit") from None
            raise NotSupported(
                f"cannot set ulimit {short}={soft}:{hard}: {(error.strerror or '').lower()}",
                hint=f"leave it out, or ask for {rlimit.get_limit(name)[1]} at most, this account's own hard limit; "
                "the administrator raises that in /etc/security/limits.conf",
            ) from None


def _limit(value: int) -> int:
    # The OCI writes RLIM_INFINITY as the largest unsigned number.
    return -1 if value < 0 or value >= 1 << 63 else value


def limit_processes(limit: int) -> int:
    """Lower our soft RLIMIT_NPROC to `limit` if it is higher; returns what it was. A user namespace made now holds
    no more processes than that, those of all its users together (Linux 5.14: rlimits are counted per namespace
    and a namespace is limited by its creator's limit)."""
    soft, hard = rlimit.get_limit("RLIMIT_NPROC")
    if soft < 0 or soft > limit:
        rlimit.set_limit("RLIMIT_NPROC", limit, hard)
    return soft


def restore_processes(soft: int) -> None:
    """Give our soft RLIMIT_NPROC back: the namespace that bounds us is made."""
    rlimit.set_limit("RLIMIT_NPROC", soft, rlimit.get_limit("RLIMIT_NPROC")[1])


def become_root() -> None:
    """Take the container's root. Where it has none and the caller is in it (keep-id of a user without a range), stay the caller, who
    made the namespace and has all capabilities in it, up to the exec."""
    try:
        os.setresgid(0, 0, 0)
        os.setresuid(0, 0, 0)
    except OSError as error:
        if error.errno != errno.EINVAL or _OVERFLOW_ID in (os.getuid(), os.getgid()):
            raise


def new_keyring(*, filtered: bool) -> None:
    """Leave the user's session keyring behind. `filtered`: a seccomp filter follows, under which
    a process cannot reach keys anyway: then a user's used-up quota is no reason to fail."""
    try:
        join_new_session_keyring()
    except OSError as error:
        if error.errno == errno.EDQUOT and not filtered:
            raise NotSupported(
                "the user's quota of kernel keys is used up",
                hint="the administrator raises /proc/sys/kernel/keys/maxkeys",
            ) from None
        if error.errno not in (errno.EDQUOT, errno.ENOSYS, errno.EPERM):
            raise


def resolve_user(process: dict[str, Any]) -> User:
    """process.user: numbers as the OCI has them, or `username` in Docker's words ("name",
    "uid:group") with `additionalGroups`, looked up in the container's own files. Inside the root."""
    user = process.get("user") or {}
    if "username" in user:
        groups = tuple(user.get("additionalGroups") or ())
        if groups == (KEEP_GROUPS,):
            return find_user(user["username"])._replace(keeps_groups=True)
        return find_user(user["username"], groups)
    return User(user.get("uid", 0), user.get("gid", 0), tuple(user.get("additionalGids") or ()), "")


def become(user: User, *, umask: int | None) -> None:
    """Take the groups, gid and uid, keeping capabilities permitted for the steps that follow."""
    set_keep_capabilities(True)
    try:
        # Groups without an id in here cannot be set, but those a process has stay until it sets others.
        if not user.keeps_groups:
            os.setgroups(list(user.groups))
    except PermissionError:
        # With a single id the kernel forbids setgroups altogether: nothing to drop, nor is any group there that the image would give.
        if user.groups and user.groups_asked:
            raise NotSupported(
                "supplementary groups need a range of subordinate ids",
                hint="ask the administrator for entries in /etc/subuid and /etc/subgid",
            ) from None
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        raise NotSupported(
            f"supplementary group {next(filter(_without_id, user.groups), user.groups)} has no id on this machine",
            hint="the range of subordinate ids (/etc/subgid) is too small for it",
        ) from None
    try:
        os.setresgid(user.gid, user.gid, user.gid)
        os.setresuid(user.uid, user.uid, user.uid)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        raise _no_such_id(user) from None
    os.umask(0o022 if umask is None else umask)
    # A change of ids has set it to fs.suid_dumpable, which may be 1.
    set_dumpable(False)


def _without_id(group: int) -> bool:
    try:
        os.setgroups([group])
    except OSError:
        return True
    return False


def _no_such_id(user: User) -> NotSupported:
    with open("/proc/self/uid_map") as uids, open("/proc/self/gid_map") as gids:
        maps = uids.read().split(), gids.read().split()
    own = ":".join(words[0] for words in maps)
    if all(words[2:] == ["1"] for words in maps):  # keep-id of who has no range: where root is the one, others are emulated
        return NotSupported(
            f"the container's user namespace has {own} and no other id, and its user is to be another",
            hint=f"--user {own}; or no --userns keep-id, for it and for the container that it joins: other ids are emulated then",
        )
    said = f"user {user.uid}:{user.gid} has no id on this machine"
    return NotSupported(said, hint="the range of subordinate ids (/etc/subuid, /etc/subgid) is too small for it")


def change_directory(path: str) -> None:
    """chdir(2), checked to have stayed inside the root (CVE-2024-21626)."""
    try:
        os.chdir(path or "/")
    except OSError as error:
        raise InvalidInput(f"cannot change to the working directory {path}: {error.strerror}") from None
    try:
        inside = os.getcwd().startswith("/")
    except FileNotFoundError:
        inside = False
    if not inside:
        raise InvalidInput(f"the working directory {path} lies outside the container")


def set_label(process: dict[str, Any]) -> None:
    """process.apparmorProfile or selinuxLabel for the coming exec."""
    profile, label = process.get("apparmorProfile"), process.get("selinuxLabel")
    if profile and profile != "unconfined":
        _write_label(("attr/apparmor/exec", "attr/exec"), f"exec {profile}", profile)
    if label:
        _write_label(("attr/exec",), label, label)


def _write_label(names: tuple[str, ...], text: str, label: str) -> None:
    root = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for name in names:
            try:
                fd = open_proc_file(root, f"{os.getpid()}/{name}", os.O_WRONLY)
            except FileNotFoundError:
                continue
            try:
                os.write(fd, text.encode())
            finally:
                os.close(fd)
            return
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOENT):
            raise NotSupported(f"cannot take the security label {label!r}: {error.strerror}") from None
    finally:
        os.close(root)
    raise NotSupported(
        f"cannot take the security label {label!r}: this kernel has no such label",
        hint="leave --security-opt apparmor=... or label=... out, or load the profile",
    )


def close_all_but_stdio(*, preserve: int = 0) -> None:
    """Mark every descriptor but 0-2, and the `preserve` after them, to close at exec, those that
    came to us open included."""
    first = 3 + preserve
    try:
        close_range(first, 0xFFFFFFFF, CLOSE_RANGE_CLOEXEC)
    except OSError:  # Linux before 5.11
        for name in os.listdir("/proc/self/fd"):
            try:
                if int(name) >= first:
                    os.set_inheritable(int(name), False)
            except OSError:
                pass  # the directory's own descriptor, closed by now


def read_process_capabilities(process: dict[str, Any]) -> Capabilities:
    """process.capabilities as this kernel has them."""
    return read_capabilities(process, last=last_cap())


def confine(
    process: dict[str, Any],
    capabilities: Capabilities,
    seccomp: Filter,
    scopes: int = 0,
    emulate: Callable[[], None] | None = None,
) -> int:
    """no_new_privs, Landlock `scopes`, seccomp filter and capabilities; after this only exec is left. `emulate`, where
    ids are emulated, loads a filter of its own.

    Returns the listener's descriptor of a filter that notifies, else -1."""
    if process.get("noNewPrivileges"):
        _capset(capabilities)
        set_no_new_privs()
        landlock.apply(scopes)
        if emulate is not None:
            emulate()
        return _load(seccomp)
    listener = -1
    if seccomp.bpf or scopes or emulate is not None:
        # Without no_new_privs the kernel wants CAP_SYS_ADMIN for both: held until they are loaded.
        _capset(capabilities, meanwhile=frozenset(("CAP_SYS_ADMIN",)))
        landlock.apply(scopes)
        if emulate is not None:
            emulate()
        listener = _load(seccomp)
        if emulate is not None:
            # Nobody answers for us yet, and capset(2) is asked for. The command is root for the kernel, whose execve(2)
            # gives it what the bounding set has, and no more.
            return listener
    _capset(capabilities)
    return listener


def _load(seccomp: Filter) -> int:
    if not seccomp.bpf:
        return -1
    found = load_filter(seccomp.bpf, seccomp.flags)
    return found if seccomp.flags & SECCOMP_FILTER_FLAG_NEW_LISTENER else -1


def _capset(capabilities: Capabilities, *, meanwhile: frozenset[str] = frozenset()) -> None:
    set_capabilities(
        effective=capabilities.effective | meanwhile,
        permitted=capabilities.permitted | meanwhile,
        inheritable=capabilities.inheritable,
        bounding=capabilities.bounding,
        ambient=capabilities.ambient,
    )
