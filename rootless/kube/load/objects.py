"""The documents of a file: ConfigMaps and Secrets first, whatever their order, then what is made of them."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable

from rootless.errors import InvalidInput
from rootless.kube.load import values
from rootless.kube.load.environment import Sources
from rootless.kube.load.model import Claim, Loaded, Pod
from rootless.kube.load.node import Node
from rootless.kube.load.pod import pod
from rootless.words import COMPOSE_LABEL
from rootless.yamltext.document import documents

_KINDS = {
    "Pod": "v1", "Deployment": "apps/v1", "DaemonSet": "apps/v1", "Job": "batch/v1", "ConfigMap": "v1", "Secret": "v1",
    "PersistentVolumeClaim": "v1",
}  # fmt: skip
_OF_A_CLUSTER = {"Service": "v1", "Ingress": "networking.k8s.io/v1", "Namespace": "v1"}
"""Objects that files for a cluster have beside the pods, and that ask for nothing which a pod would lack without them. A
NetworkPolicy is none of them: it is a wall."""
_OF_A_SERVER = ("creationTimestamp", "generation", "managedFields", "resourceVersion", "selfLink", "uid")
"""What a cluster adds to an object's metadata: it says nothing of what is wanted."""


def load(text: str, file: str, more: list[tuple[str, str]], *, needed: bool = True) -> Loaded:
    """The file's objects. `more`: texts of other files with their names, that have ConfigMaps. `needed` as
    Sources has it. InvalidInput with the path of what is not there, or not understood."""
    notes: list[str] = []
    sources = Sources({}, {}, needed, notes)
    nodes = []
    for other, name in more:
        for node in _nodes(other, name):
            node.text("apiVersion", "v1", required=True)
            node.text("kind", "ConfigMap", required=True)
            _config_map(node, sources, notes)
    for node in _nodes(text, file):
        kind = node.text("kind", *_KINDS, *_OF_A_CLUSTER, required=True)
        node.text("apiVersion", {**_KINDS, **_OF_A_CLUSTER}[kind], required=True)
        if kind in _OF_A_CLUSTER:
            note = f"{kind} has no effect: pods on one --network find each other by name, and hostPort publishes"
            notes.append(node.error("kind", note).message)
        elif kind == "ConfigMap":
            _config_map(node, sources, notes)
        elif kind == "Secret":
            _secret(node, sources, notes)
        else:
            nodes.append((kind, node))
    if not nodes and not sources.maps and not sources.secrets:
        raise InvalidInput(f"{file}: there is no object in it", hint="a document with kind: Pod, say")
    pods: list[Pod] = []
    claims: list[Claim] = []
    makers: dict[str, Callable[[Node], None]] = {
        "Pod": lambda node: pods.append(_pod(node, sources, notes)),
        "Deployment": lambda node: pods.append(_deployment(node, sources, notes)),
        "DaemonSet": lambda node: pods.append(_daemon_set(node, sources, notes)),
        "Job": lambda node: pods.append(_job(node, sources, notes)),
        "PersistentVolumeClaim": lambda node: claims.append(_claim(node, notes)),
    }
    for kind, node in nodes:
        makers[kind](node)
    for position, one in enumerate(pods):
        if one.name in [other.name for other in pods[:position]]:
            raise one.node.error("", f"there are two pods called {one.name}")
    return Loaded(pods, claims, notes)


def _nodes(text: str, file: str) -> list[Node]:
    return [Node(document.tree, (), document) for document in documents(text, file)]


def _metadata(node: Node, notes: list[str]) -> tuple[str, dict[str, str], dict[str, str]]:
    """Name, labels and annotations."""
    data = node.node("metadata")
    if data is None:
        raise node.error("metadata", "is required")
    name = values.name(data, "name")
    if data.text("namespace"):
        notes.append(data.error("namespace", "has no effect: there is one namespace here").message)
    labels, annotations = _labels(data), data.pairs("annotations")
    for key in annotations:
        if key.startswith(("io.podman.annotations.", "volume.podman.io/", "io.containers.", "io.rootless.")):
            raise data.error("annotations", f"{key} is not supported: it asks for something that is not Kubernetes'")
    data.close(*_OF_A_SERVER)
    return name, labels, annotations


def _labels(metadata: Node) -> dict[str, str]:
    """The labels, which containers and volumes have, too: compose would take them for a project's by its own."""
    found = metadata.pairs("labels")
    for key in found:
        if key.startswith(COMPOSE_LABEL):
            raise metadata.error("labels", f"{key} is not supported: only compose says what is of its projects", "leave it out")
    return found


def _config_map(node: Node, sources: Sources, notes: list[str]) -> None:
    name = _metadata(node, notes)[0]
    found = {key: value.encode() for key, value in node.pairs("data").items()}
    found |= _decoded(node, "binaryData")
    _add(node, sources.maps, name, found)
    node.flag("immutable")
    node.close()


def _secret(node: Node, sources: Sources, notes: list[str]) -> None:
    name = _metadata(node, notes)[0]
    found = {**_decoded(node, "data"), **{key: value.encode() for key, value in node.pairs("stringData").items()}}
    _add(node, sources.secrets, name, found)
    node.text("type")
    node.flag("immutable")
    node.close()


def _add(node: Node, known: dict[str, dict[str, bytes]], name: str, found: dict[str, bytes]) -> None:
    for key in found:
        values.check_key(node, "data", key)
    if name in known:
        raise node.error("metadata", f"there are two called {name}")
    known[name] = found


def _decoded(node: Node, key: str) -> dict[str, bytes]:
    found = {}
    for name, word in node.pairs(key).items():
        try:
            found[name] = base64.b64decode("".join(word.split()), validate=True)
        except (binascii.Error, ValueError):
            raise node.error(key, f"{name} is not in base64") from None
    return found


def _claim(node: Node, notes: list[str]) -> Claim:
    name, labels, _ = _metadata(node, notes)
    spec = node.node("spec")
    if spec is not None:
        spec.texts("accessModes")
        spec.text("volumeMode", "Filesystem")
        spec.text("storageClassName")
        resources = spec.node("resources")
        if resources is not None:
            asked = resources.node("requests")
            if asked is not None and values.size(asked, "storage"):
                notes.append(asked.error("storage", "has no effect: a volume grows with its disk").message)
            if asked is not None:
                asked.close()
            resources.close()
        spec.close()
    node.close("status")
    return Claim(name, labels)


def _pod(node: Node, sources: Sources, notes: list[str]) -> Pod:
    name, labels, annotations = _metadata(node, notes)
    found = pod(node, name, labels, annotations, sources)
    node.close("status")
    return found


def _deployment(node: Node, sources: Sources, notes: list[str]) -> Pod:
    """A pod NAME-pod of the template, as Podman calls it."""
    name, spec = _templated(node, notes)
    if spec.number("replicas", 0, 1 << 31) not in (None, 1):
        raise spec.error("replicas", "there is one pod of a deployment here", "write replicas: 1")
    return _of_template(node, spec, name, sources)


def _daemon_set(node: Node, sources: Sources, notes: list[str]) -> Pod:
    """One pod, for there is one machine."""
    name, spec = _templated(node, notes)
    return _of_template(node, spec, name, sources)


def _job(node: Node, sources: Sources, notes: list[str]) -> Pod:
    """One pod that is to end. How often a failed one is made anew is a cluster's to do."""
    name, spec = _templated(node, notes)
    for key in ("completions", "parallelism"):
        if spec.number(key, 0, 1 << 31) not in (None, 1):
            raise spec.error(key, "there is one pod of a job here", f"write {key}: 1")
    for key in ("backoffLimit", "ttlSecondsAfterFinished"):
        if spec.number(key, 0, 1 << 31) is not None:
            notes.append(spec.error(key, "has no effect: the pod is made once, and stays").message)
    found = _of_template(node, spec, name, sources)
    if found.restart == "Always":
        raise found.node.error("restartPolicy", "of a job is OnFailure or Never")
    return found


def _templated(node: Node, notes: list[str]) -> tuple[str, Node]:
    """The name and the spec."""
    name = _metadata(node, notes)[0]
    spec = node.node("spec")
    if spec is None:
        raise node.error("spec", "is required")
    return name, spec


def _of_template(node: Node, spec: Node, name: str, sources: Sources) -> Pod:
    """The pod of a template that `selector` has to fit; both closed."""
    selector = spec.node("selector")
    chosen = selector.pairs("matchLabels") if selector else {}
    if selector is not None:
        selector.close()
    template = spec.node("template")
    if template is None:
        raise spec.error("template", "is required")
    data = template.node("metadata")
    labels = _labels(data) if data else {}
    annotations = data.pairs("annotations") if data else {}
    if data is not None:
        data.close("name", *_OF_A_SERVER)
    if not chosen.items() <= labels.items():
        raise spec.error("selector", "selects other labels than the template's")
    found = pod(template, f"{name}-pod", labels, annotations, sources)
    template.close()
    spec.close()
    node.close("status")
    return found
