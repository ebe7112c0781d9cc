"""A container that is to be in a pod: what it asked for itself is refused where the pod shares it, in Podman's words."""

from __future__ import annotations

from rootless.engine.state import pods
from rootless.engine.state.config import read_config
from rootless.errors import InvalidInput
from rootless.record import TYPE_CHECKING
from rootless.storage import pods as stored

if TYPE_CHECKING:
    from collections.abc import Collection

    from rootless.engine.lifecycle.request import Request
    from rootless.engine.state.config import Network
    from rootless.storage.store import Store

_SHARED = "network cannot be configured when it is shared with a pod"
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


def refuse(store: Store, reference: str, given: Collection[str], *, uts: str, ipc: str) -> None:
    """InvalidInput, in Podman's words, where one of the options that were `given` for a container is the pod's to choose;
    NotFound. `uts` and `ipc` are the modes that were asked for, "" where the pod's are taken."""
    modes = pods.namespaces(pods.read(store, stored.find(store, reference)))
    if "userns" in given:
        raise InvalidInput("--userns and --pod cannot be set together", hint="a container of a pod has the ids of its infra")
    if "network" in modes:
        for option, what in OPTIONS.items():
            if option in given:
                raise _is_the_pods(f"{NETWORK[what]}: {_SHARED}", option)
    if "uts" in modes and not uts:
        for option in ("hostname", "domainname"):
            if option in given:
                words = f"cannot set {option} when joining the pod UTS namespace: invalid configuration"
                raise _is_the_pods(words, "hostname")
    if "ipc" in modes and not ipc and "shm_size" in given:
        raise _is_the_pods("cannot set shm-size when /dev/shm is shared with a pod", "shm_size")


def _is_the_pods(words: str, option: str) -> InvalidInput:
    hint = f"give it to `rootless pod create`: --{option.replace('_', '-')}"
    return InvalidInput(f"invalid config provided: {words}", hint=hint)


def join(store: Store, reference: str, request: Request, given: Collection[str]) -> Request:
    """The request of a container in the pod: it joins the pod's namespaces, and mounts what the pod does. `given` are the
    options that were given. NotFound."""
    pod = pods.read(store, stored.find(store, reference))
    modes = pods.namespaces(pod)
    if "network" in modes:
        request = request._replace(network=_network(request, modes["network"]))
    if "uts" in modes and not request.uts:
        request = request._replace(uts=modes["uts"], hostname=pod["hostname"])
    if "ipc" in modes and not request.ipc:
        request = request._replace(ipc=modes["ipc"])
    if "pid" in modes and not request.pid:
        request = request._replace(pid=modes["pid"])
    if "restart" not in given and not request.auto_remove:
        request = request._replace(restart=pod["restart"])
    if pod["infra"]:
        # The user namespace that owns the others: its ids are those of the container's files, too.
        infra = read_config(store, pod["infra"])
        request = request._replace(userns=infra["userns"], id_map=infra.get("id_map"))
    if pod["exit_policy"] == "stop":
        request = request._replace(exit_policy="stop")
    taken = {mount["target"] for mount in request.mounts}
    more = [mount for mount in pod["mounts"] if mount["target"] not in taken]
    return request._replace(pod=pod["id"], mounts=[*request.mounts, *more])


def _network(request: Request, mode: str) -> Network:
    return {
        "mode": mode, "options": [], "ports": [], "exposed": request.network["exposed"], "publish_all": False, "dns": [],
        "dns_search": [], "dns_options": [], "add_host": [],
    }  # fmt: skip

