"""`rm`: a container and what belongs to it alone. Hot path."""

from __future__ import annotations

from rootless.engine.state import restart, running
from rootless.engine.state.config import ContainerConfig, read_config
from rootless.engine.state.events import events
from rootless.errors import Conflict, NotFound, RootlessError
from rootless.linux import signal
from rootless.storage.containers import containers
from rootless.storage.store import Store


def remove_alone(store: Store, identifier: str, *, force: bool = False, volumes: bool = False) -> None:
    """`remove` for who is told when another has begun it: Conflict, in moby's words."""
    from rootless.storage.containers import removal

    with removal.begin(store, identifier):
        remove(store, identifier, force=force, volumes=volumes)


def remove(
    store: Store, identifier: str, *, force: bool = False, volumes: bool = False, with_pod: bool = False
) -> None:
    """Remove the container; `force` kills it first, `volumes` takes its anonymous volumes along.

    The caller has joined the session. Conflict, in Docker's words, for a running one without force; for the infra of a
    pod, unless that goes, too (`with_pod`).
    """
    if not with_pod:
        _refuse_infra(store, identifier)
    while True:
        found = running.find(store, identifier)
        if found is not None:
            with found:
                if not force:
                    raise _refused(store, identifier, "paused" if found.state.get("paused") else "running")
                restart.cancel_unlocked(store, identifier)
                _report_kill(store, identifier)
                found.kill()
            try:
                running.wait_recorded(store, identifier, removed=False)
            except RootlessError:
                pass  # its monitor is stopped: it is removed all the same
        else:
            running.refuse_elsewhere(store, identifier)
            if not force and containers.status(store, identifier).state == "restarting":
                raise _refused(store, identifier, "restarting")
        try:
            with containers.lock(store, identifier):
                again = running.find(store, identifier)
                if again is None:
                    restart.cancel(store, identifier)
                    discard(store, identifier, volumes=volumes)
                    return
                again.close()  # started while we waited for the lock
        except NotFound:
            # A --rm container's own clean-up was faster.
            if found is None:
                raise
            return


def _refuse_infra(store: Store, identifier: str) -> None:
    try:
        record = containers.config(store, identifier, {})
    except RootlessError:
        return  # damaged: it is removed all the same
    if not record.get("infra"):
        return
    from rootless.storage import pods

    pod = str(record.get("pod"))
    if pods.exists(store, pod):
        name = containers.name_of(store, pod) or pod[:12]
        raise Conflict(
            f"container {identifier} is the infra container of pod {pod} and cannot be removed without removing the pod",
            hint=f"rootless pod rm {name}",
        )


def _report_kill(store: Store, identifier: str) -> None:
    try:
        record = read_config(store, identifier)
    except RootlessError:
        return  # damaged: it is removed all the same
    events.kill(store, record, signal.SIGKILL)


def _refused(store: Store, identifier: str, state: str) -> Conflict:
    return Conflict(
        f'cannot remove container "{containers.name_of(store, identifier) or identifier[:12]}": '
        f"container is {state}: stop the container before removing or force remove",
        hint=f"rootless stop {identifier[:12]}, or rootless rm -f",
    )


def discard(store: Store, identifier: str, *, volumes: bool) -> None:
    """Delete a container that does not run, under its lock, which the caller holds."""
    anonymous = _anonymous_volumes(store, identifier) if volumes else []
    try:
        record: ContainerConfig | None = read_config(store, identifier)
        if containers.status(store, identifier).unrecorded:
            from rootless.engine.state import unrecorded_exits

            unrecorded_exits.notice(store, identifier)
    except RootlessError:
        record = None  # damaged, and to be removed for that
    sockets = running.run_directory(store, identifier)
    name = containers.name_of(store, identifier) if record is not None and record.get("pod") else ""
    containers.remove(store, identifier)
    if record is not None:
        events.container(store, "destroy", record)
        if name:
            from rootless.engine.lifecycle import pod_names

            pod_names.forget(store, record, name)
    from rootless.storage.remove_tree import remove_tree

    remove_tree(sockets)
    if record is not None and (shared := record.get("shared")):
        from rootless.storage.containers import members

        members.forget(shared["directory"], shared["key"], identifier)
    for name in anonymous:
        from rootless.storage import volumes as stored

        stored.remove(store, name, missing_ok=True)


def sweep(store: Store) -> None:
    """Clear away what killed processes and power cuts left; of --rm containers their ends are written to the log of events, too."""
    from rootless.storage.maintenance.sweep import sweep_containers

    sweep_containers(store, _tell)


def _tell(store: Store, identifier: str) -> None:
    from rootless.engine.state import unrecorded_exits

    unrecorded_exits.notice(store, identifier)
    try:
        events.container(store, "destroy", read_config(store, identifier))
    except RootlessError:
        pass  # damaged, and to be removed for that


def _anonymous_volumes(store: Store, identifier: str) -> list[str]:
    try:
        record = read_config(store, identifier)
    except RootlessError:
        return []  # damaged: its volumes stay, for `volume prune`
    found = [m["volume"] for m in record["mounts"] if m["type"] == "volume" and "anonymous" in m["options"]]
    return _not_shared(store, record, found) if found and record.get("pod") else found


def _not_shared(store: Store, record: ContainerConfig, names: list[str]) -> list[str]:
    """Of the volumes those that no other container of the pod mounts: the last one takes them along."""
    from rootless.engine.state import pods

    others: set[str] = set()
    for member in pods.members(store, record.get("pod", "")):
        if member != record["id"]:
            try:
                others |= {mount["volume"] for mount in read_config(store, member)["mounts"]}
            except RootlessError:
                continue  # removed meanwhile, or damaged
    return [name for name in names if name not in others]
