"""`kube play` and `kube down`: the pods of a file made and started, or taken away."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import NamedTuple

from rootless.engine.files.volumes import volumes as engine_volumes
from rootless.engine.images import lookup
from rootless.engine.lifecycle import create, pod_member, remove, start, wait
from rootless.engine.pods import create as pods_create
from rootless.engine.pods import remove as pods_remove
from rootless.engine.pods import verbs
from rootless.engine.state import pods
from rootless.errors import Conflict, NotFound, RootlessError
from rootless.image.progress import Progress
from rootless.kube import requests, volumes
from rootless.kube.load.model import Container, Loaded, Pod
from rootless.kube.requests import Choice
from rootless.storage import images
from rootless.storage import pods as stored
from rootless.storage.containers import containers
from rootless.storage.images import Image
from rootless.storage.store import Store


class Played(NamedTuple):
    """A pod that was made: its id, and those of its containers."""

    pod: str
    containers: list[str]


class TakenDown(NamedTuple):
    """What `down` has done: ids of pods, names of volumes."""

    stopped: list[str]
    removed: list[str]
    volumes: list[str]


def images_of(store: Store, wanted: list[Pod], progress: Callable[[], Progress | None]) -> dict[str, Image]:
    """Every image of the pods by its name in the file, pulled where the container's policy says so."""
    found: dict[str, Image] = {}
    for pod in wanted:
        for container in (*pod.init, *pod.containers):
            if container.image not in found or container.pull == "always":
                found[container.image] = lookup.ensure(
                    store, container.image, policy=container.pull, progress=progress(), quiet=progress() is None
                )
    return found


def check(store: Store, wanted: list[Pod], choice: Choice, *, started: bool, replace: bool) -> None:
    """Refuse what cannot be, before anything is made."""
    for pod in wanted:
        requests.pod_request(pod, choice)
        for volume in pod.volumes.values():
            requests.check_volume(volume)
        if pod.init and not started:
            raise pod.node.error("initContainers", "run before the others: --start=false cannot be had with them")
        if not replace and find(store, pod.name):
            raise Conflict(
                f"adding pod to state: name \"{pod.name}\" is in use: pod already exists",
                hint="take it away with `rootless kube down FILE`, or --replace it",
            )


def find(store: Store, name: str) -> str:
    """The id of the pod of exactly this name; "" where there is none."""
    return next((pod.id for pod in pods.every(store) if pod.name == name), "")


def play(store: Store, pod: Pod, known: dict[str, Image], choice: Choice, *, started: bool, replace: bool) -> Played:
    """Make one pod with all its containers, run the init containers one after the other, and start the rest. Nothing of it
    is left where it cannot be made; a container that does not start leaves the pod to be looked at. The caller has joined
    the session."""
    request = requests.pod_request(pod, choice)
    with store.lease():
        known = {name: image if image.published else images.find(store, image.id, all_names=False) for name, image in known.items()}
        identifier = pods_create.create_pod(store, request, replace=replace)
        try:
            made = volumes.make(store, pod)
            try:
                every = [_create(store, pod, one, identifier, known[one.image], made, choice) for one in (*pod.init, *pod.containers)]
            except BaseException:
                pods_remove.remove_pod(store, identifier, force=True)
                volumes.discard(store, pod, made)
                raise
        except BaseException:
            if stored.exists(store, identifier):
                pods_remove.remove_pod(store, identifier, force=True)
            raise
    first, rest = every[: len(pod.init)], every[len(pod.init) :]
    for container, one in zip(pod.init, first, strict=True):
        _run_to_its_end(store, pod, container, one)
    if started:
        verbs.start_pod(store, identifier)
    return Played(identifier, rest)


def _create(
    store: Store, pod: Pod, container: Container, identifier: str, image: Image, made: dict[str, str], choice: Choice
) -> str:
    request = requests.container_request(pod, container, image, made, choice)
    given = {"restart"}
    return create.create(store, pod_member.join(store, identifier, request, given), image)


def _run_to_its_end(store: Store, pod: Pod, container: Container, identifier: str) -> None:
    """An init container: it runs once, and is gone when it has succeeded. RootlessError with what it ended with."""
    with wait.Waiter(store, identifier, "next-exit") as waiter:
        start.start(store, identifier)
        ended = waiter.wait()
    if ended is None or ended.code:
        name = f"{pod.name}-{container.name}"
        raise RootlessError(
            f"init container {name} ended with {ended.code if ended else 'nothing'}: the pod is not started",
            hint=f"rootless logs {name}, and rootless kube down takes the pod away",
        )
    remove.remove(store, identifier, volumes=True)


def wait_for(store: Store, identifiers: list[str]) -> int:
    """Wait until none of the containers runs, or is to be started again: the exit status of the first that failed, else 0.
    One that is removed has ended."""
    status = 0
    for identifier in identifiers:
        try:
            while containers.status(store, identifier).state in wait.ALIVE:
                with wait.Waiter(store, identifier, "next-exit") as waiter:
                    if containers.status(store, identifier).state in wait.ALIVE:  # it may have ended since
                        waiter.wait()
            status = status or containers.status(store, identifier).exit_code
        except NotFound:
            continue
    return status


def claims_of(loaded: Loaded) -> set[str]:
    """The volumes of the file's claims, with or without an object."""
    used = {volume.source for pod in loaded.pods for volume in pod.volumes.values() if volume.kind == "claim"}
    return used | {claim.name for claim in loaded.claims}


def take_down(store: Store, loaded: Loaded, named: Collection[str]) -> TakenDown:
    """Stop and remove the pods of the file, and these volumes. What is not there is no error. The caller has joined the session."""
    stopped, removed, gone = [], [], []
    for pod in loaded.pods:
        identifier = find(store, pod.name)
        if identifier:
            verbs.stop_pod(store, identifier)
            stopped.append(identifier)
            pods_remove.remove_pod(store, identifier, force=True)
            removed.append(identifier)
    for name in sorted(named):
        try:
            engine_volumes.remove(store, name)
        except NotFound:
            continue
        gone.append(name)
    return TakenDown(stopped, removed, gone)
