"""spec.linux.namespaces: which to make, which to join, and whose user namespace that takes.

A namespace that is missing is shared with the host, one with a path is joined. The user
namespace is always a container's own below the session, except that joining namespaces of
another container means joining its user namespace too (docs/development/decisions/runtime-shared-user-namespace.md). Hot path.
"""

from __future__ import annotations

import errno
import os

from rootless.errors import Conflict, InvalidInput, NotFound, NotSupported, RootlessError
from rootless.linux import namespace as n
from rootless.linux import signal
from rootless.linux.namespace import identity, owning_user_namespace, setns
from rootless.record import TYPE_CHECKING, Record

if TYPE_CHECKING:
    from typing import Any

# In the order in which they can be entered one by one: the user namespace gives the right to the
# others, and the mount namespace takes /proc/self away.
FLAGS = {
    "user": n.CLONE_NEWUSER,
    "ipc": n.CLONE_NEWIPC,
    "uts": n.CLONE_NEWUTS,
    "network": n.CLONE_NEWNET,
    "pid": n.CLONE_NEWPID,
    "cgroup": n.CLONE_NEWCGROUP,
    "time": n.CLONE_NEWTIME,
    "mount": n.CLONE_NEWNS,
}
_PROC_NAMES = {"mount": "mnt", "network": "net"}


class Namespaces(Record):
    """`new` are the CLONE_NEW* flags to make, `join` (type, path) pairs; the rest is the host's."""

    new: int
    join: tuple[tuple[str, str], ...]

    def has_own(self, name: str) -> bool:
        """Whether the namespace is made for this container or joined, that is, not the host's."""
        return bool(self.new & FLAGS[name]) or any(kind == name for kind, _ in self.join)


def read_namespaces(linux: dict[str, Any]) -> Namespaces:
    """What the configuration says; InvalidInput for unknown, repeated or impossible ones. Pure."""
    new, join, seen = n.CLONE_NEWUSER, [], set()
    for entry in linux.get("namespaces") or []:
        kind = entry.get("type", "")
        if kind not in FLAGS or (kind == "time" and not entry.get("path")):
            raise InvalidInput(f"unknown namespace type {kind!r}")
        if kind in seen:
            raise InvalidInput(f"namespace type {kind!r} is given twice")
        seen.add(kind)
        path = entry.get("path")
        if not path:
            new |= FLAGS[kind]
            continue
        if kind == "user":
            new &= ~n.CLONE_NEWUSER
        join.append((kind, path))
    if "mount" not in seen:
        raise InvalidInput("a container needs a mount namespace of its own")
    # A container's root belongs to its user namespace: that one is joined first.
    join.sort(key=lambda pair: pair[0] != "user")
    return Namespaces(new, tuple(join))


class Joined(Record):
    """Namespaces opened for joining: (type, descriptor), the user namespace first; and what is
    still to be made."""

    new: int
    fds: tuple[tuple[str, int], ...]


def open_joined(namespaces: Namespaces) -> Joined:
    """Open what is to be joined, leaving out what is ours already, and find the user namespace
    it takes. Descriptors are the caller's."""
    new = namespaces.new
    fds: list[tuple[str, int]] = []
    owner: int | None = None
    for kind, path in namespaces.join:
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            raise NotFound(f"no {kind} namespace at {path}: its container has stopped") from None
        own_path = f"/proc/self/ns/{_PROC_NAMES.get(kind, kind)}"
        if identity(fd) == identity(own_path):
            os.close(fd)
            continue
        fds.append((kind, fd))
        if kind != "user" and new & n.CLONE_NEWUSER:
            owner = _same_owner(owner, _owner(fd, kind, path), kind)
    if owner is not None and identity(owner) != identity("/proc/self/ns/user"):
        new &= ~n.CLONE_NEWUSER
        fds.insert(0, ("user", owner))
    return Joined(new, tuple(fds))


def _owner(fd: int, kind: str, path: str) -> int:
    try:
        return owning_user_namespace(fd)
    except PermissionError:
        raise NotSupported(
            f"cannot join the {kind} namespace {path}: it belongs to another user",
            hint="only namespaces of your own containers can be joined",
        ) from None


def _same_owner(before: int | None, now: int, kind: str) -> int:
    if before is not None and identity(before) != identity(now):
        raise InvalidInput(
            f"cannot join the {kind} namespace of another container than the others",
            hint="namespaces joined by one container must all belong to one container",
        )
    return now


def join(joined: Joined) -> None:
    """Enter the opened namespaces in order: the user namespace first, which gives the right to
    the others. A pid namespace holds for children only."""
    for kind, fd in joined.fds:
        setns(fd, FLAGS[kind])


def open_of(pid: int, kind: str) -> int:
    """A descriptor of /proc/PID/ns/`kind`, the caller's."""
    return os.open(f"/proc/{pid}/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC)


def others(pid: int, pidfd: int) -> tuple[tuple[int, int], ...]:
    """The namespaces of `pid`, the process of `pidfd`, that are not ours: (CLONE_NEW* flag, descriptor,
    the caller's), in the order of FLAGS. Conflict where the process is gone."""
    found = []
    for kind, flag in FLAGS.items():
        kind = _PROC_NAMES.get(kind, kind)
        try:
            fd = open_of(pid, kind)
        except FileNotFoundError:
            if not os.path.exists(f"/proc/self/ns/{kind}"):
                continue  # older than this kind of namespace
            raise Conflict("container is not running") from None
        except PermissionError:
            raise Conflict(
                "the container cannot be entered", hint="it belongs to another user, or is just starting"
            ) from None
        if identity(fd) == identity(f"/proc/self/ns/{kind}"):
            os.close(fd)
        else:
            found.append((flag, fd))
    try:
        # Opened by number: they are the right ones if the process behind the pidfd still lives.
        signal.pidfd_send_signal(pidfd, 0)
    except ProcessLookupError:
        raise Conflict("container is not running") from None
    return tuple(found)


def differing(found: dict[str, int]) -> tuple[tuple[int, int], ...]:
    """Of the namespaces `found` (a type of FLAGS: descriptor) those that are not ours, as `others` has them; the rest
    is closed."""
    kept = []
    for kind, flag in FLAGS.items():
        fd = found.pop(kind, -1)
        if fd >= 0 and identity(fd) != identity(f"/proc/self/ns/{_PROC_NAMES.get(kind, kind)}"):
            kept.append((flag, fd))
        elif fd >= 0:
            os.close(fd)
    for fd in found.values():
        os.close(fd)
    return tuple(kept)


def open_own(directory: int) -> dict[str, int]:
    """Our own namespaces, by way of `directory`, /proc/self/ns: (a type of FLAGS: descriptor, the caller's)."""
    found = {}
    for kind in FLAGS:
        try:
            found[kind] = os.open(_PROC_NAMES.get(kind, kind), os.O_RDONLY | os.O_CLOEXEC, dir_fd=directory)
        except FileNotFoundError:
            continue  # older than this kind of namespace
    return found


def enter_each(fds: tuple[tuple[int, int], ...]) -> None:
    """Join these namespaces (CLONE_NEW* flag, descriptor), in the order of FLAGS."""
    for flag, fd in fds:
        setns(fd, flag)


def enter(pidfd: int, fds: tuple[tuple[int, int], ...]) -> None:
    """Join the namespaces that `others` found for the process `pidfd`."""
    flags = 0
    for flag, _ in fds:
        flags |= flag
    if not flags:
        return
    try:
        setns(pidfd, flags)
    except OSError as error:
        if error.errno != errno.EINVAL:  # a pidfd: since Linux 5.8
            raise
        enter_each(fds)


def id_map(kind: str, mappings: list[dict[str, int]]) -> str:
    """The lines of a container's uid_map or gid_map (`kind` "uid" or "gid"): spec.linux's
    mappings, or none: every id that our own user namespace has, under the same number."""
    with open(f"/proc/self/{kind}_map") as file:
        extents = [tuple(int(word) for word in line.split())[::2] for line in file]
    if not mappings:
        wanted = [(first, first, size) for first, size in extents]
    else:
        wanted = [(entry["containerID"], entry["hostID"], entry["size"]) for entry in mappings]
    return split_map(wanted, extents)


def split_map(wanted: list[tuple[int, int, int]], extents: list[tuple[int, ...]]) -> str:
    """`wanted` (inside, outside, size) as lines that each stay within one of the parent
    namespace's `extents` (first, size): the kernel refuses a line that spans two. Pure."""
    lines = []
    for inside, outside, size in wanted:
        while size > 0:
            # What no extent holds stays as it is, for the kernel to refuse.
            step = next((f + s - outside for f, s in extents if f <= outside < f + s), size)
            step = min(step, size)
            lines.append(f"{inside} {outside} {step}\n")
            inside, outside, size = inside + step, outside + step, size - step
    return "".join(lines)


def write_map(pid: int, kind: str, text: str) -> None:
    """Write `pid`'s uid_map or gid_map, user_namespaces(7); only once, by the parent namespace's root."""
    fd = os.open(f"/proc/{pid}/{kind}_map", os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, text.encode())
    except PermissionError:
        raise NotSupported(
            f"cannot map these {kind}s into the container: {text.strip()!r}",
            hint="ids in a mapping must be among the session's; see `rootless doctor`",
        ) from None
    finally:
        os.close(fd)


def is_mapped(text: str, inside: int) -> bool:
    """Whether the id `inside` has a mapping in the lines `text`. Pure."""
    for line in text.splitlines():
        first, _, size = (int(word) for word in line.split())
        if first <= inside < first + size:
            return True
    return False


def holds(text: str, outside: int) -> bool:
    """Whether the id `outside`, of the parent namespace, has a number in the lines `text`. Pure."""
    for line in text.splitlines():
        _, first, size = (int(word) for word in line.split())
        if first <= outside < first + size:
            return True
    return False


def refused(error: OSError) -> RootlessError:
    """A refused clone(2) or unshare(2) in words."""
    if error.errno == errno.ENOSPC:
        return NotSupported(
            "no more namespaces can be made: a limit of this machine is reached",
            hint="see /proc/sys/user/max_*_namespaces; the administrator raises them with sysctl",
        )
    if error.errno in (errno.EPERM, errno.EACCES, errno.EINVAL, errno.ENOSYS):
        return NotSupported(
            f"this machine refuses to make a container's namespaces: {error.strerror}",
            hint="run `rootless doctor`: it finds out what forbids them",
        )
    return RootlessError(f"cannot make the container's namespaces: {error.strerror}")
