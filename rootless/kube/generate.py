"""`kube generate`: containers and pods as Kubernetes YAML, which `kube play` and a cluster take."""

from __future__ import annotations

from typing import Any

from rootless import __version__
from rootless.compose.converge.observe import project_rows
from rootless.engine.state import pods
from rootless.engine.state.config import ContainerConfig, Network, read_config
from rootless.engine.state.pods import PodConfig
from rootless.errors import InvalidInput, NotFound
from rootless.image import run_config
from rootless.image.run_config import RunConfig
from rootless.kube.export_container import Exported, export, literal, own_labels, valid_name
from rootless.record import Record
from rootless.storage import images
from rootless.storage import pods as stored
from rootless.storage.containers import containers
from rootless.storage.store import Store
from rootless.words import COMPOSE_LABEL
from rootless.yamltext.emit import emit

_RESTART = {"always": "Always", "unless-stopped": "Always", "on-failure": "OnFailure"}
_SERVICE, _NUMBER, _ONEOFF = (f"{COMPOSE_LABEL}{key}" for key in ("service", "container-number", "oneoff"))
KINDS = ("pod", "deployment")


class Generated(Record):
    """The text, and what could not be said in it, a line each."""

    text: str
    notes: list[str]


def of_names(store: Store, names: list[str], kind: str) -> Generated:
    """The pods and containers of these names: a pod each, and one more of all containers. NotFound; InvalidInput for what
    cannot be put into one pod."""
    found: list[dict[str, Any]] = []
    notes: list[str] = []
    claims: list[str] = []
    alone: list[ContainerConfig] = []
    for name in names:
        try:
            identifier = stored.find(store, name)
        except NotFound:
            record = read_config(store, containers.find(store, name))
            if record.get("pod"):
                raise InvalidInput(
                    f"container {name} is in a pod: it is written with that", hint=f"rootless kube generate {record['pod'][:12]}"
                ) from None
            alone.append(record)
            continue
        pod = pods.read(store, identifier)
        members = [read_config(store, member) for member in pods.members(store, identifier)]
        _add(store, pod["name"], members, pod, found, claims, notes)
    if alone:
        if len({one["network"]["mode"] for one in alone}) > 1:
            raise InvalidInput("these containers are on different networks: one pod has one", hint="generate them one by one")
        _add(store, f"{alone[0]['name']}-pod", alone, None, found, claims, notes)
    return _written(found, claims, notes, kind)


def of_project(store: Store, project: str, kind: str) -> Generated:
    """The containers of a compose project, each a pod that is called as its service is, so that the others find it by that name
    on the network that the pods are played on. NotFound where there is none."""
    found: list[dict[str, Any]] = []
    notes: list[str] = []
    claims: list[str] = []
    for row in project_rows(store, project):  # what compose made: an image may have its labels, too
        record, labels = row.record, row.record["labels"]
        if labels.get(_ONEOFF) == "True":
            continue
        number = labels.get(_NUMBER, "1")
        name = labels.get(_SERVICE, record["name"]) + ("" if number == "1" else f"-{number}")
        _add(store, name, [record], None, found, claims, notes)
    if not found:
        raise NotFound(f"there is no container of a project {project}", hint="`rootless compose ls -a` lists the projects")
    found.sort(key=lambda pod: str(pod["metadata"]["name"]))
    if len(found) > 1:
        notes.append(f"the pods find each other by name on one network: rootless kube play --network {project} FILE")
    return _written(found, claims, notes, kind)


def _add(
    store: Store, name: str, members: list[ContainerConfig], pod: PodConfig | None,
    found: list[dict[str, Any]], claims: list[str], notes: list[str],
) -> None:  # fmt: skip
    """Append the pod to `found`, and to `claims` and `notes` what it needs besides."""
    inside = [record for record in members if not record.get("infra")]
    if not inside:
        raise InvalidInput(f"pod {name} has no containers")
    network = next((record["network"] for record in members if record.get("infra")), inside[0]["network"])
    entries, volumes = [], {}
    for position, record in enumerate(inside):
        own = record["network"] if pod is None else network if position == 0 else {**network, "ports": []}
        short = record["name"].removeprefix(f"{name}-") if pod else record["name"]
        one: Exported = export(record, _config(store, record), valid_name(short), own)
        entries.append(one.entry)
        volumes.update({volume["name"]: volume for volume in one.volumes})
        claims += [claim for claim in one.claims if claim not in claims]
        notes += one.notes
    spec: dict[str, Any] = {"containers": entries}
    if volumes:
        spec["volumes"] = list(volumes.values())
    spec["restartPolicy"] = _RESTART.get(inside[0]["restart"]["name"], "Never")
    if len({record["restart"]["name"] for record in inside}) > 1:
        notes.append(f"{name}: the containers have different restart policies; {inside[0]['name']}'s is written")
    spec |= _of_host(network, inside[0], pod, name, notes)
    labels, annotations = own_labels(inside[0], _config(store, inside[0]))
    if pod:
        labels = {key: value for key, value in pod["labels"].items() if not key.startswith(COMPOSE_LABEL)}
    metadata: dict[str, Any] = {"name": valid_name(name), "labels": {"app": valid_name(name), **labels}}
    if annotations:
        metadata["annotations"] = annotations
    found.append({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})


def _of_host(network: Network, record: ContainerConfig, pod: PodConfig | None, name: str, notes: list[str]) -> dict[str, Any]:
    """The network, the names, and what else is the pod's."""
    found: dict[str, Any] = {}
    hostname = pod["hostname"] if pod else record["hostname"]
    if hostname not in (valid_name(name), record["id"][:12]) and network["mode"] != "host":
        found["hostname"] = hostname
    if network["mode"] == "host":
        found["hostNetwork"] = True
    elif network["mode"] != "bridge":
        notes.append(f"{name}: network {network['mode']} is not written: rootless kube play --network")
    if record["pid"] == "host":
        found["hostPID"] = True
    if record["ipc"] == "host":
        found["hostIPC"] = True
    if pod and "pid" in pod["share"]:
        found["shareProcessNamespace"] = True
    if record["stop_timeout"] is not None:
        found["terminationGracePeriodSeconds"] = record["stop_timeout"]
    aliases: dict[str, list[str]] = {}
    for word in network["add_host"]:
        host, _, address = word.partition(":")
        aliases.setdefault(address, []).append(host)
    if aliases:
        found["hostAliases"] = [{"ip": address, "hostnames": hosts} for address, hosts in aliases.items()]
    dns = {"nameservers": network["dns"], "searches": network["dns_search"]}
    options = [dict(zip(("name", "value"), word.split(":", 1), strict=False)) for word in network["dns_options"]]
    config = {key: value for key, value in (*dns.items(), ("options", options)) if value}
    if config:
        found["dnsConfig"] = config
    if record["sysctls"]:
        found["securityContext"] = {"sysctls": [{"name": key, "value": value} for key, value in record["sysctls"].items()]}
    if record["userns"] not in ("", "host", "private"):
        notes.append(f"{name}: userns is not written: rootless kube play --userns {record['userns']}")
    return found


def _config(store: Store, record: ContainerConfig) -> RunConfig:
    """The image's configuration; nothing is left to an image that is gone."""
    try:
        return run_config.read(images.find(store, record["image_id"], all_names=False).config.get("config"))
    except NotFound:
        return RunConfig()


def _written(found: list[dict[str, Any]], claims: list[str], notes: list[str], kind: str) -> Generated:
    objects: list[dict[str, Any]] = [
        {
            "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": claim},
            "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
        }
        for claim in dict.fromkeys(claims)
    ]  # fmt: skip
    objects += [_deployment(pod) for pod in found] if kind == "deployment" else found
    head = "# Save the output of this file and use `rootless kube play` or `kubectl create -f` to run it.\n"
    return Generated(f"{head}# Created with rootless-{literal(__version__)}\n" + "---\n".join(emit(one) for one in objects), notes)


def _deployment(pod: dict[str, Any]) -> dict[str, Any]:
    metadata = pod["metadata"]
    if pod["spec"]["restartPolicy"] != "Always":
        raise InvalidInput(
            f"a deployment's containers are always restarted, and {metadata['name']}'s are not", hint="--type pod, or --restart always"
        )
    name = str(metadata["name"]).removesuffix("-pod")
    return {
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "labels": metadata["labels"]},
        "spec": {
            "replicas": 1, "selector": {"matchLabels": {"app": metadata["labels"]["app"]}},
            "template": {"metadata": {"labels": metadata["labels"]}, "spec": pod["spec"]},
        },
    }  # fmt: skip
