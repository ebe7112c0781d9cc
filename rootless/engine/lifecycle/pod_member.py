"""A container that is to be in a pod: what it asked for itself is refused where the pod shares it, in Podman's words."""

from __future__ import annotations

from rootless.engine.state import pods
from rootless.errors import InvalidInput
from rootless.record import TYPE_CHECKING
from rootless.storage import pods as stored

if TYPE_CHECKING:
    from collections.abc import Collection

    from rootless.engine.lifecycle.create import Request
    from rootless.engine.state.config import Network
    from rootless.storage.store import Store

_SHARED = "network cannot be configured when it is shared with a pod"
_OF_POD = "give it to `rootless pod create`"
NETWORK = {
    "ports": "published or exposed ports must be defined when the pod is created",
    "networks": "networks must be defined when the pod is created",
    "add_host": "extra host entries must be specified on the pod",
    "dns": "DNS servers, search domains and options must be specified on the pod",
}
OPTIONS = {
    "publish": "ports", "publish_all": "ports",
    "network": "networks", "network_alias": "networks", "link": "networks", "ip": "networks", "ip6": "networks",
    "mac_address": "networks",
    "add_host": "add_host", "dns": "dns", "dns_search": "dns", "dns_option": "dns",
}  # fmt: skip
"""The options of `run` that are about a network, by what of the pod they would change."""


def join(store: Store, reference: str, request: Request, given: Collection[str]) -> Request:
    """The request of a container in the pod: it joins the pod's namespaces, and mounts what the pod does. `given` are the
    options that were given. NotFound; InvalidInput in Podman's words where one is the pod's to choose."""
    identifier = stored.find(store, reference)
    pod = pods.read(store, identifier)
    if "userns" in given:
        raise InvalidInput("--userns and --pod cannot be set together", hint=f"{_OF_POD}: --userns")
    modes = pods.namespaces(pod)
    if "network" in modes:
        _refuse_network(given)
        request = request._replace(network=_network(request, modes["network"]))
    if "uts" in modes and not request.uts:
        for option in ("hostname", "domainname"):
            if option in given:
                raise InvalidInput(
                    f"invalid config provided: cannot set {option} when joining the pod UTS namespace: invalid configuration",
                    hint=f"{_OF_POD}: --hostname",
                )
        request = request._replace(uts=modes["uts"], hostname=pod["hostname"])
    if "ipc" in modes and not request.ipc:
        if "shm_size" in given:
            raise InvalidInput(
                "invalid config provided: cannot set shm-size when /dev/shm is shared with a pod", hint=f"{_OF_POD}: --shm-size"
            )
        request = request._replace(ipc=modes["ipc"])
    if "pid" in modes and not request.pid:
        request = request._replace(pid=modes["pid"])
    if "restart" not in given and not request.auto_remove:
        request = request._replace(restart=pod["restart"])
    taken = {mount["target"] for mount in request.mounts}
    more = [mount for mount in pod["mounts"] if mount["target"] not in taken]
    return request._replace(pod=identifier, mounts=[*request.mounts, *more])


def _refuse_network(given: Collection[str]) -> None:
    for option, what in OPTIONS.items():
        if option in given:
            raise InvalidInput(
                f"invalid config provided: {NETWORK[what]}: {_SHARED}", hint=f"{_OF_POD}: --{option.replace('_', '-')}"
            )


def _network(request: Request, mode: str) -> Network:
    return {
        "mode": mode, "options": [], "ports": [], "exposed": request.network["exposed"], "publish_all": False, "dns": [],
        "dns_search": [], "dns_options": [], "add_host": [],
    }  # fmt: skip

