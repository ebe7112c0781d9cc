"""`pod create`: a pod's record, and its infra: a container without an image that keeps what the pod shares. Starts nothing."""

from __future__ import annotations

import os

from rootless.engine.lifecycle import create, pod_member, remove
from rootless.engine.lifecycle.request import Request
from rootless.engine.options import clock, names
from rootless.engine.state import pods
from rootless.engine.state.config import Network, RestartPolicy
from rootless.engine.state.events import events
from rootless.errors import InvalidInput
from rootless.record import TYPE_CHECKING, Record
from rootless.runtime.process.init_program import ANNOTATION, PAUSE
from rootless.storage import pods as stored
from rootless.storage.containers import containers
from rootless.storage.maintenance.sweep import sweep_pods

if TYPE_CHECKING:
    from rootless.engine.options.mount_config import Mount
    from rootless.engine.state.pods import PodConfig
    from rootless.storage.store import Store

IMAGE = "<infra>"
"""What is shown as the image of an infra, which has none."""
_COMMAND = ["rootless-init", "-P"]


class PodRequest(Record):
    """What a user asked for, parsed. `name` "" is a random one, `hostname` "" the pod's name."""

    network: Network
    restart: RestartPolicy
    name: str = ""
    hostname: str = ""
    infra: bool = True
    infra_name: str = ""
    labels: dict[str, str] = {}
    share: list[str] = []
    exit_policy: str = "continue"
    mounts: list[Mount] = []
    shm_size: int = 64 * 1024 * 1024
    sysctls: dict[str, str] = {}
    userns: str = ""
    command: list[str] = []


def parse_share(word: str) -> list[str]:
    """The namespaces of --share: a list of its own, or with "+" in addition to, or "-" out of, those of the default.
    InvalidInput in Podman's words."""
    words = [part.strip() for part in word.split(",")] if word else []
    chosen = {part for part in words if part[:1] not in ("+", "-")}
    found = (set() if chosen else set(pods.DEFAULT_SHARE)) if words else set()
    for part in words:
        kind = part.lstrip("+-")
        if kind == "cgroup":
            raise InvalidInput(
                "the cgroup namespace cannot be shared in a pod: each container's control group is its own",
                hint="leave cgroup out of --share",
            )
        if kind not in (*pods.KINDS, "none"):
            raise InvalidInput(
                f"invalid kernel namespace to share: {kind}. Options are: cgroup, ipc, net, pid, uts or none",
                hint=f"--share {','.join(pods.DEFAULT_SHARE)}, or --share +pid",
            )
        if kind == "none":
            found.clear()
        elif part[0] == "-":
            found.discard(kind)
        else:
            found.add(kind)
    return sorted(found)


def create_pod(store: Store, request: PodRequest, *, replace: bool = False) -> str:
    """Make the pod and its infra; the pod's id. Conflict for a name in use, by a pod or a container; with `replace` the
    pod of the name goes first, with all that is in it (the caller has joined the session then). Nothing is left behind
    where this raises."""
    if replace and not request.name:
        raise InvalidInput("cannot replace pod without --name being set", hint="it is a name that is taken over")
    if request.name:
        stored.check_name(request.name)
    sweep_pods(store)
    request = request._replace(name=request.name or _free_name(store))
    infra = containers.new_id() if request.infra else ""
    identifier = containers.new_id()
    config: PodConfig = {
        "version": pods.VERSION, "id": identifier, "name": request.name, "created_at": clock.now(), "infra": infra,
        "hostname": request.hostname or request.name, "labels": request.labels, "share": request.share,
        "exit_policy": request.exit_policy, "restart": request.restart, "mounts": request.mounts,
        "command": request.command,
    }  # fmt: skip
    wanted = _infra_request(request, config) if infra else None
    if replace:
        _make_room(store, request.name)
    try:
        with stored.NewPod(store, dict(config)):
            if wanted is not None:
                create.create(store, wanted, None)
    except BaseException:
        if infra and os.path.isdir(containers.directory(store, infra)):
            remove.discard(store, infra, volumes=False)
        raise
    events.write(store, "pod", "create", identifier, name=request.name)
    return identifier


def _free_name(store: Store) -> str:
    while True:
        name = names.random_name()
        if not os.path.lexists(f"{store.names}/{name}"):
            return name


def _make_room(store: Store, name: str) -> None:
    from rootless.engine.pods import remove as removal

    for pod in pods.every(store):
        if pod.name == name:
            removal.remove_pod(store, pod.id, force=True)


def _infra_request(request: PodRequest, config: PodConfig) -> Request:
    """The infra as a container: no capability, no image, a root that is read-only and empty."""
    return Request(
        network=request.network,
        log={"driver": "none", "max_size": 0, "max_files": 1},
        security={
            "privileged": False, "cap_add": [], "cap_drop": ["ALL"], "no_new_privileges": True, "seccomp": "", "apparmor": "",
            "label": [], "unmask": [], "mask": [],
        },
        restart=request.restart,
        image=IMAGE,
        name=request.infra_name or f"{config['id'][:12]}-infra",
        cmd=_COMMAND,
        hostname=config["hostname"],
        read_only=True,
        annotations={ANNOTATION: PAUSE},
        shm_size=request.shm_size,
        sysctls=request.sysctls,
        ipc="shareable" if "ipc" in request.share else "",
        userns=request.userns,
        attached=[],
        id=config["infra"],
        pod=config["id"],
        infra=True,
    )  # fmt: skip


def check_options(request: PodRequest, given: set[str]) -> None:
    """InvalidInput, in Podman's words, for what only a pod with an infra, or that shares a network, can have."""
    if request.infra:
        of_network = given & set(pod_member.OPTIONS)
        if of_network and "net" not in request.share:
            raise InvalidInput(
                f"--{sorted(of_network)[0].replace('_', '-')} is about a network that the containers of the pod do not share",
                hint="--share net,..., or give it to each container: `rootless run --pod NAME`",
            )
        if given & {"publish", "publish_all"} and request.network["mode"] in ("none", "host"):
            raise InvalidInput(
                "PortMappings can only be used with Bridge or slirp4netns networking", hint="leave -p out, or --network"
            )
        return
    if "publish" in given:
        raise InvalidInput("you must have an infra container to publish port bindings to the host", hint=_NO_INFRA)
    for option, words in _OF_INFRA.items():
        if option in given:
            raise InvalidInput(words, hint=_NO_INFRA)
    if request.share and "share" in given:
        raise InvalidInput(f"cannot set share({','.join(request.share)}) namespaces without an infra container", hint=_NO_INFRA)


_NO_INFRA = "leave --infra=false out"
_OF_INFRA = {
    "network": "NoInfra and network modes cannot be used together",
    "network_alias": "NoInfra and network aliases cannot be used together",
    "ip": "NoInfra and StaticIP are mutually exclusive pod options: invalid pod spec",
    "ip6": "NoInfra and StaticIP are mutually exclusive pod options: invalid pod spec",
    "mac_address": "NoInfra and StaticMAC are mutually exclusive pod options: invalid pod spec",
    "dns": "NoInfra and DNSServer are mutually exclusive pod options: invalid pod spec",
    "dns_search": "NoInfra and DNSSearch are mutually exclusive pod options: invalid pod spec",
    "dns_option": "NoInfra and DNSOption are mutually exclusive pod options: invalid pod spec",
    "add_host": "NoInfra and HostAdd are mutually exclusive pod options: invalid pod spec",
    "hostname": "NoInfra and Hostname are mutually exclusive pod options: invalid pod spec",
    "infra_name": "NoInfra and InfraName are mutually exclusive pod options: invalid pod spec",
    "shm_size": "NoInfra and ShmSize are mutually exclusive pod options: invalid pod spec",
    "sysctl": "NoInfra and Sysctl are mutually exclusive pod options: invalid pod spec",
    "userns": "NoInfra and UserNS are mutually exclusive pod options: invalid pod spec",
}
"""Options that are the infra's."""
