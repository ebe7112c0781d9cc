"""`pod rm` and `pod prune`: a pod with all that is in it. The caller has joined the session."""

from __future__ import annotations

from rootless.engine.lifecycle import remove
from rootless.engine.pods import verbs
from rootless.engine.state import pods
from rootless.engine.state.events import events
from rootless.errors import Conflict, NotFound, RootlessError
from rootless.record import TYPE_CHECKING
from rootless.storage import pods as stored
from rootless.storage.maintenance.sweep import sweep_pods

if TYPE_CHECKING:
    from rootless.storage.store import Store


def remove_pod(store: Store, identifier: str, *, force: bool = False, timeout_s: int | None = None) -> None:
    """Remove the pod, its containers with their anonymous volumes, and its infra last. Conflict, in Podman's words, where
    a container of it runs, unless `force` stops it (kills it after `timeout_s`). Again after a kill: it goes on."""
    pod = pods.one(store, identifier)
    if force:
        if any(member.state in ("running", "paused", "restarting") for member in pod.members):
            verbs.stop_pod(store, identifier, timeout_s=timeout_s)
    else:
        _refuse_running(pod)
    for member in pod.members:
        if not member.infra:
            _remove(store, member.id, force=force)
    with stored.lock(store, identifier):
        pod = pods.one(store, identifier)
        if not force:
            _refuse_running(pod)
        # What has come into it meanwhile, too; the infra, whose namespaces they are in, last.
        for member in (*pod.members[1:], *pod.members[:1]):
            _remove(store, member.id, force=force or member.infra)
        stored.remove(store, identifier)
    events.write(store, "pod", "remove", identifier, name=pod.name)
    sweep(store)


def _refuse_running(pod: pods.Pod) -> None:
    running = [member for member in pod.members if not member.infra and member.state in ("running", "paused", "restarting")]
    if running:
        names = ", ".join(member.name for member in running)
        what = "container" if len(running) == 1 else "containers"
        raise Conflict(
            f"cannot remove pod {pod.name} as {what} {names} {'is' if len(running) == 1 else 'are'} running - "
            "running or paused containers cannot be removed without force: container state improper",
            hint=f"rootless pod stop {pod.name}, or rootless pod rm -f {pod.name}",
        )


def _remove(store: Store, member: str, *, force: bool) -> None:
    try:
        remove.remove(store, member, force=force, volumes=True, with_pod=True)
    except NotFound:
        pass  # somebody else was faster


def prune_pods(store: Store) -> list[str]:
    """Remove the pods that have run and do not any more; the ids of those."""
    gone = []
    for pod in pods.every(store):
        if pod.status not in ("Exited", "Stopped"):
            continue
        try:
            remove_pod(store, pod.id)
        except (Conflict, NotFound):
            continue  # started, or removed, since we looked
        gone.append(pod.id)
    sweep(store)
    return gone


def sweep(store: Store) -> None:
    """Clear away what killed commands left: pods half made, or half removed, and infras whose pod is not there."""
    sweep_pods(store)
    for pod, members in pods.membership(store).items():
        if stored.exists(store, pod) or stored.is_being_made(store, pod) or not pods.is_infra(store, members[0]):
            continue
        try:
            remove.remove(store, members[0], force=True, with_pod=True)
        except (RootlessError, OSError):
            continue  # another command is at it

