"""Which processes a container has: those of its cgroup, or of its pid namespace. Hot path."""

from __future__ import annotations

import os

from rootless.linux.process import descendants
from rootless.record import TYPE_CHECKING

if TYPE_CHECKING:
    from rootless.oci.state import Container


def pids(container: Container) -> list[int]:
    """The container's processes as numbers of our own pid namespace, in order; its init first.

    In a pid namespace of its own those are all that live there; in a shared one the init and what
    descends from it.
    """
    if container.cgroup:
        found = _of_cgroup(container.cgroup)
        if found:
            return found
    if not container.is_alive():
        return []
    own = _namespace("self")
    inside = _namespace(str(container.pid))
    if inside and inside != own and not _shared(container):
        return sorted(int(name) for name in os.listdir("/proc") if name.isdecimal() and _namespace(name) == inside)
    return sorted(descendants(container.pid))


def _shared(container: Container) -> bool:
    """Whether the pid namespace is another container's."""
    namespaces = (container.config().get("linux") or {}).get("namespaces") or []
    return any(entry["type"] == "pid" and entry.get("path") for entry in namespaces)


def _namespace(pid: str) -> str:
    try:
        return os.readlink(f"/proc/{pid}/ns/pid")
    except OSError:
        return ""


def _of_cgroup(path: str) -> list[int]:
    found: list[int] = []
    for directory, _, _ in os.walk(path):
        try:
            with open(os.path.join(directory, "cgroup.procs")) as file:
                found += [int(line) for line in file if int(line)]
        except OSError:
            continue
    return sorted(found)


def kill_all(container: Container, number: int) -> None:
    """Send the signal to every process but the init: the caller signals that last."""
    for pid in pids(container):
        if pid != container.pid:
            try:
                os.kill(pid, number)
            except (ProcessLookupError, PermissionError):
                continue
