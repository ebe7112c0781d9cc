"""What is done to all containers of a pod: start, stop, restart, kill, pause, unpause. The caller has joined the session
where containers start."""

from __future__ import annotations

import threading

from rootless.engine.lifecycle import kill, pause, pod_names, start, stop
from rootless.engine.state import pods
from rootless.engine.state.config import read_config
from rootless.engine.state.events import events
from rootless.errors import Conflict, NotFound, RootlessError
from rootless.record import TYPE_CHECKING
from rootless.storage import pods as stored

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from rootless.engine.state.pods import Pod
    from rootless.storage.store import Store

_AT_ONCE = 64


class PodErrors(RootlessError):
    """What went wrong with containers of a pod; the others have been seen to."""

    def __init__(self, what: str, pod: Pod, failed: list[tuple[str, RootlessError]]) -> None:
        if len(failed) == 1:
            message = f"{what} container {failed[0][0]} from pod {pod.name}: {failed[0][1].message}"
        else:
            lines = "; ".join(f"container {name}: {error.message}" for name, error in failed)
            message = f"{what} {len(failed)} containers from pod {pod.name}: {lines}"
        super().__init__(message, hint=failed[0][1].hint)


def start_pod(store: Store, identifier: str) -> None:
    """Start the infra, and then all containers of the pod that do not run."""
    with stored.lock(store, identifier):
        _start(store, identifier)


def _start(store: Store, identifier: str) -> None:
    pod = pods.one(store, identifier)
    if not pod.members:
        if pod.infra_is_missing:
            pods.read(store, identifier)
            raise _without_infra(pod)
        raise Conflict(
            f"no containers in pod {pod.name} have no dependencies, cannot start pod: no containers in pod",
            hint=f"put one into it: rootless run --pod {pod.name} IMAGE",
        )
    if pod.infra_is_missing:
        raise _without_infra(pod)
    waiting = [member.id for member in pod.members if member.state in ("created", "exited", "restarting")]
    _each(store, pod, waiting, lambda member: _begin(store, member), "starting")
    events.write(store, "pod", "start", identifier, name=pod.name)


def _begin(store: Store, member: str) -> None:
    try:
        start.start(store, member)
    except start.AlreadyRunning:
        pass


def stop_pod(store: Store, identifier: str, *, timeout_s: int | None = None, by_hand: bool = True) -> None:
    """Stop the containers of the pod all at once, and its infra last; what does not run is left as it is."""
    pod = pods.one(store, identifier)
    others = [member.id for member in pod.members if not member.infra]

    def end(member: str) -> None:
        stop.stop(store, member, timeout_s=timeout_s, by_hand=by_hand)

    failed = _all_at_once(store, pod, others, end)
    if not failed:
        failed = _all_at_once(store, pod, [member.id for member in pod.members if member.infra], end)
    if failed:
        raise PodErrors("stopping", pod, failed)
    events.write(store, "pod", "stop", identifier, name=pod.name)


def restart_pod(store: Store, identifier: str) -> None:
    """Stop all containers of the pod and start all: those that did not run, too."""
    with stored.lock(store, identifier):  # see stop_if_done
        stop_pod(store, identifier)
        _start(store, identifier)


def kill_pod(store: Store, identifier: str, signal_name: str) -> None:
    """Send a signal to PID 1 of each container that runs, the infra's, too."""
    pod = pods.one(store, identifier)
    running = [member.id for member in pod.members if member.state in ("running", "paused", "restarting")]
    # Those who are in its namespaces before the infra, as for a stop.
    _each(store, pod, [*running[1:], *running[:1]], lambda member: kill.kill(store, member, signal_name), "killing")
    events.write(store, "pod", "kill", identifier, name=pod.name, signal=signal_name)


def pause_pod(store: Store, identifier: str) -> None:
    """Halt all containers of the pod that run."""
    pod = pods.one(store, identifier)
    running = [member.id for member in pod.members if member.state == "running"]
    _each(store, pod, running, lambda member: pause.pause(store, member), "pausing")
    events.write(store, "pod", "pause", identifier, name=pod.name)


def unpause_pod(store: Store, identifier: str) -> None:
    """Let all paused containers of the pod go on."""
    pod = pods.one(store, identifier)
    paused = [member.id for member in pod.members if member.state == "paused"]
    _each(store, pod, paused, lambda member: pause.unpause(store, member), "unpausing")
    events.write(store, "pod", "unpause", identifier, name=pod.name)


def rejoin(store: Store, infra: str) -> None:
    """After an infra was started again by its policy: start those containers anew that run in its old namespaces."""
    record = read_config(store, infra)
    for member in pod_names.left_behind(store, record):
        stop.stop(store, member)
        _begin(store, member)


def stop_if_done(store: Store, pod: str) -> None:
    """The exit policy `stop`: once all containers of the pod but its infra have ended, the infra is stopped, too.

    Not while another command holds the pod: it starts it, removes it, or puts a container into it.
    """
    try:
        with stored.lock(store, pod, blocking=False):
            found = pods.one(store, pod)
            if found.config is None or found.config["exit_policy"] != "stop" or not found.infra:
                return
            if all(member.infra or member.state in ("exited", "removing") for member in found.members):
                stop_pod(store, pod)
    except (Conflict, NotFound):
        return


def _without_infra(pod: Pod) -> NotFound:
    return NotFound(
        f"the infra container of pod {pod.name} is gone", hint=f"remove the pod: rootless pod rm -f {pod.name}"
    )


def _each(store: Store, pod: Pod, members: Iterable[str], verb: Callable[[str], None], what: str) -> None:
    """The verb for one container after the other, whatever becomes of one; PodErrors at the end."""
    known = {member.id: member.name for member in pod.members}
    failed: list[tuple[str, RootlessError]] = []
    for member in members:
        try:
            verb(member)
        except NotFound:
            continue  # removed meanwhile
        except RootlessError as error:
            failed.append((known[member], error))
    if failed:
        raise PodErrors(what, pod, failed)


def _all_at_once(
    store: Store, pod: Pod, members: list[str], verb: Callable[[str], None]
) -> list[tuple[str, RootlessError]]:
    """The same for a verb that mostly waits: what went wrong, in the order of the containers."""
    known = {member.id: member.name for member in pod.members}
    slots = threading.Semaphore(_AT_ONCE)
    failed: dict[str, RootlessError] = {}

    def work(member: str) -> None:
        with slots:
            try:
                verb(member)
            except NotFound:
                pass  # removed meanwhile
            except RootlessError as error:
                failed[member] = error

    threads = [threading.Thread(target=work, args=(member,), daemon=True) for member in members]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [(known[member], failed[member]) for member in members if member in failed]
