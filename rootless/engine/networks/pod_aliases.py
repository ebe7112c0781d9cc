"""The names that a pod's infra is found by besides its own: the pod's, and those of all containers in the pod."""

from __future__ import annotations

from rootless.engine.state import pods
from rootless.record import TYPE_CHECKING
from rootless.storage.containers import containers

if TYPE_CHECKING:
    from rootless.engine.state.config import ContainerConfig, EndpointConfig
    from rootless.storage.store import Store


def names(store: Store, record: ContainerConfig) -> list[str]:
    """Of the infra whose configuration is `record`; [] for any other container. Those who share its network alone."""
    pod = record.get("pod")
    if not pod or not record.get("infra"):
        return []
    known = containers.names(store)
    inside = [each for each in pods.members(store, pod) if each != record["id"]]
    return [known[each] for each in (pod, *inside) if each in known]


def with_names(asked: EndpointConfig, more: list[str]) -> EndpointConfig:
    """The endpoint with `more` aliases."""
    return {**asked, "aliases": [*asked["aliases"], *more]} if more else asked
