"""What the infra of a pod is to the other containers in it: started before them, and their names are found at its address.

    /etc/hosts   of all of them, the infra's: each name at 127.0.0.1, as Podman has it
    netd         each name at the pod's addresses, on networks of one's own

Imported for containers in a pod. The locks are taken in one order: a container's, then its infra's.
"""

from __future__ import annotations

import os

from rootless.engine.state import pods
from rootless.engine.state.config import ContainerConfig, is_on_hub, read_config
from rootless.errors import Conflict, NotFound, RootlessError
from rootless.record import TYPE_CHECKING
from rootless.storage.containers import containers

if TYPE_CHECKING:
    from rootless.storage.store import Store

_MOST_BYTES = 1 << 20


def infra_of(store: Store, record: ContainerConfig) -> str:
    """The infra that is to run before the container of `record`; "" where its pod has none. NotFound where the pod, or
    its infra, is gone."""
    identifier = record.get("pod") or ""
    infra = pods.read(store, identifier)["infra"]
    if infra and not os.path.isdir(containers.directory(store, infra)):
        raise NotFound(
            f"the infra container of pod {identifier[:12]} is gone", hint=f"remove the pod: rootless pod rm -f {identifier[:12]}"
        )
    return infra


def refuse_left_behind(store: Store, record: ContainerConfig) -> None:
    """Conflict where containers of the pod run in namespaces that an infra before this one kept: those that start now
    would be in others."""
    pod = record.get("pod") or ""
    if not left_behind(store, record):
        return
    name = containers.name_of(store, pod) or pod[:12]
    raise Conflict(
        f"the infra container of pod {name} has ended, and containers of the pod still run in the namespaces that it had",
        hint=f"start all of them anew: rootless pod restart {name}",
    )


def left_behind(store: Store, record: ContainerConfig) -> list[str]:
    """The containers that run and joined the namespaces of the infra of `record`; meant for one that does not run."""
    mode = f"container:{record['id']}"
    found = []
    for member in pods.members(store, record.get("pod") or ""):
        if member == record["id"]:
            continue
        try:
            other = read_config(store, member)
            joined = mode in (other["network"]["mode"], other["ipc"], other["uts"], other["pid"])
            if joined and containers.status(store, member).state in ("running", "paused"):
                found.append(member)
        except RootlessError:
            continue  # removed, or damaged
    return found


def hosts(store: Store, record: ContainerConfig) -> list[str]:
    """For the infra's /etc/hosts: the names of all containers in its pod, as --add-host has them."""
    known = containers.names(store)
    return [
        f"{known[member]}:127.0.0.1"
        for member in pods.members(store, record.get("pod") or "")
        if member != record["id"] and member in known
    ]


def add(store: Store, record: ContainerConfig, infra: str) -> None:
    """Make the container's name known in its pod, whose infra runs. The caller has joined the session."""
    name = containers.name_of(store, record["id"])
    if name and record["network"]["mode"] == f"container:{infra}":
        _update(store, infra, there=name)


def forget(store: Store, record: ContainerConfig, name: str) -> None:
    """Have nobody find a container that is gone, or is called otherwise now. No error of this is one of the removal."""
    mode, _, infra = record["network"]["mode"].partition(":")
    try:
        if name and mode == "container" and record.get("pod"):
            _update(store, infra, gone=name)
    except (RootlessError, OSError):
        pass  # the infra ends, too; its next start has the names anew


def _update(store: Store, infra: str, *, there: str = "", gone: str = "") -> None:
    with containers.lock(store, infra):
        if not _write(containers.directory(store, infra) + "/hosts", there, gone):
            return
        record = read_config(store, infra)
    if is_on_hub(record):
        from rootless.engine.networks import connect

        connect.refresh_names(store, infra)


def _write(path: str, there: str, gone: str) -> bool:
    """Change the lines of the names in the file, which is bind-mounted and so has to stay the same one; whether it is
    another now."""
    try:
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return False  # it has never run
    try:
        before = os.read(fd, _MOST_BYTES)
        lines = before.splitlines(keepends=True)
        if lines and not lines[-1].endswith(b"\n"):
            lines[-1] += b"\n"
        if there and _line(there) not in lines:
            lines.append(_line(there))
        text = b"".join(line for line in lines if not gone or line != _line(gone))
        if text == before:
            return False
        os.pwrite(fd, text, 0)
        os.ftruncate(fd, len(text))
        return True
    finally:
        os.close(fd)


def _line(name: str) -> bytes:
    return f"127.0.0.1\t{name}\n".encode()

