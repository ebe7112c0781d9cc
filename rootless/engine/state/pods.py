"""Pods: what was asked for, which containers are in each, and what is true of it now.

A pod is a record of its own; which containers are in it stands in theirs. Its infra, a container as others and without
an image, keeps the namespaces that they share. A status is Podman's, derived of those of the containers.
"""

from __future__ import annotations

from rootless.engine.state import running
from rootless.engine.state.config import ContainerConfig
from rootless.errors import NotFound, RootlessError
from rootless.record import TYPE_CHECKING, Record, TypedDict
from rootless.storage import pods as stored
from rootless.storage.containers import containers

if TYPE_CHECKING:
    from typing import Any

    from rootless.engine.options.mount_config import Mount
    from rootless.engine.state.config import RestartPolicy
    from rootless.storage.store import Store

VERSION = 1
KINDS = ("ipc", "net", "pid", "uts")
"""What a pod may share, in Podman's words."""
DEFAULT_SHARE = ("ipc", "net", "uts")
EXIT_POLICIES = ("continue", "stop")
STATUSES = ("Created", "Running", "Degraded", "Paused", "Stopped", "Exited", "Dead")
_MEMBERSHIP = {"network": {"mode": str}}
"""As much of a container's config.json as tells that it is in a pod."""


class PodConfig(TypedDict):
    """config.json of a pod. `infra` is the id of its infra, "" where it has none; `mounts` are for all its containers;
    `command` is the command line that made it."""

    version: int
    id: str
    name: str
    created_at: str
    infra: str
    hostname: str
    labels: dict[str, str]
    share: list[str]
    exit_policy: str
    restart: RestartPolicy
    mounts: list[Mount]
    command: list[str]


class Member(Record):
    """A container of a pod; its state is one of ContainerStatus's, "unknown" where its files are damaged."""

    id: str
    name: str
    state: str
    infra: bool


class Pod(Record):
    """A pod as it is now. `config` is None where its file is damaged; the infra is the first of the members."""

    id: str
    name: str
    config: PodConfig | None
    members: list[Member]

    @property
    def status(self) -> str:
        """Podman's word for what its containers do together (libpod, createPodStatusResults)."""
        if self.config is None:
            return "Dead"
        return status([member.state for member in self.members])

    @property
    def infra(self) -> str:
        """The id of its infra; "" without one."""
        return next((member.id for member in self.members if member.infra), "")


    @property
    def infra_is_missing(self) -> bool:
        """Whether it has an infra that is not there (any more)."""
        return self.config is not None and bool(self.config["infra"]) and not self.infra


def status(states: list[str]) -> str:
    """A pod's status, of its containers' states. Pure."""
    count = len(states)
    running, paused, created = states.count("running"), states.count("paused"), states.count("created")
    stopped = states.count("exited") + states.count("restarting")
    if not count:
        return "Created"
    if running == count:
        return "Running"
    if running:
        return "Degraded"
    if paused == count:
        return "Paused"
    if stopped == count:
        return "Exited"
    if stopped:
        return "Stopped"
    return "Dead" if paused + created < count else "Created"


def read(store: Store, identifier: str) -> PodConfig:
    """The pod's config.json; NotFound where it is gone, RootlessError where it is damaged."""
    return stored.config(store, identifier)  # type: ignore[return-value]


def pod_of(store: Store, record: ContainerConfig) -> PodConfig | None:
    """The pod that the container is in; None for one that is in none, or whose pod is gone."""
    identifier = record.get("pod")
    if not identifier:
        return None
    try:
        return read(store, identifier)
    except NotFound:
        return None


def membership(store: Store) -> dict[str, list[str]]:
    """By the ids of pods: the ids of the containers that say they are in them, infras first. Damaged ones are in none."""
    found: dict[str, list[str]] = {}
    for identifier in containers.ids(store):
        try:
            record = containers.config(store, identifier, _MEMBERSHIP)
        except RootlessError:
            continue  # removed while we looked, or damaged: `ps -a` shows that one
        pod = record.get("pod")
        if isinstance(pod, str) and pod:
            place = 0 if record.get("infra") is True else len(found.get(pod, ()))
            found.setdefault(pod, []).insert(place, identifier)
    return found


def members(store: Store, pod: str) -> list[str]:
    """The ids of the containers in the pod, its infra first."""
    return membership(store).get(pod, [])


def is_infra(store: Store, identifier: str) -> bool:
    """Whether the container is a pod's infra."""
    try:
        return containers.config(store, identifier, _MEMBERSHIP).get("infra") is True
    except RootlessError:
        return False


def every(store: Store) -> list[Pod]:
    """All pods, newest first; damaged ones among them."""
    known, inside = containers.names(store), membership(store)
    found = [_pod(store, identifier, known, inside) for identifier in stored.ids(store)]
    return sorted(found, key=lambda pod: pod.config["created_at"] if pod.config else "", reverse=True)


def one(store: Store, identifier: str) -> Pod:
    """The pod of this id; NotFound where it is gone."""
    if not stored.exists(store, identifier):
        raise stored.not_found(identifier[:12])
    return _pod(store, identifier, containers.names(store), membership(store))


def _pod(store: Store, identifier: str, known: dict[str, str], inside: dict[str, list[str]]) -> Pod:
    try:
        config: PodConfig | None = read(store, identifier)
    except RootlessError:
        config = None
    infra = config["infra"] if config else ""
    found = [
        Member(member, known.get(member, member[:12]), _state(store, member), member == infra)
        for member in inside.get(identifier, ())
    ]
    return Pod(identifier, known.get(identifier, identifier[:12]), config, found)


def _state(store: Store, identifier: str) -> str:
    try:
        return containers.status(store, identifier).state
    except NotFound:
        return "removing"


def with_network(store: Store, record: ContainerConfig, state: dict[str, Any]) -> dict[str, Any]:
    """The state.json of a container in a pod, with what its infra's says of the network that it shares: ports, addresses."""
    mode = record["network"]["mode"]
    if record.get("infra") or not record.get("pod") or not mode.startswith("container:"):
        return state
    infra = mode.partition(":")[2]
    try:
        if not containers.status(store, infra).pid:
            return state
    except NotFound:
        return state
    return {**state, "network": running.read_state(store, infra).get("network") or {}}


def namespaces(pod: PodConfig) -> dict[str, str]:
    """By our words for a container's namespaces: the mode that joins the infra's, for each that the pod shares."""
    if not pod["infra"]:
        return {}
    words = {"net": "network"}
    return {words.get(kind, kind): f"container:{pod['infra']}" for kind in pod["share"]}
