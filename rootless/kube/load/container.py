"""An entry of containers or initContainers."""

from __future__ import annotations

from rootless.kube.load import values
from rootless.kube.load.confinement import confinement
from rootless.kube.load.environment import OfPod, Sources, environment
from rootless.kube.load.model import Confinement, Container, Port, VolumeMount
from rootless.kube.load.node import Node
from rootless.kube.load.probe import probe

_PULL = {"": "missing", "Always": "always", "IfNotPresent": "missing", "Never": "never"}
_PROPAGATION = {"": "", "None": "", "HostToContainer": "rslave", "Bidirectional": "rshared"}


def container(node: Node, sources: Sources, of_pod: OfPod, around: Confinement, *, init: bool = False) -> Container:
    """The container that `node` describes. InvalidInput."""
    variables = environment(node, sources, of_pod)
    command = [values.expand(word, variables) for word in node.texts("command")]
    args = [values.expand(word, variables) for word in node.texts("args")]
    memory, cpus, asked_memory, asked_cpus = _resources(node)
    security = node.node("securityContext")
    ports = _ports(node)
    if node.node("readinessProbe") is not None:
        sources.notes.append(node.error("readinessProbe", "has no effect: there is no Service that waits for it").message)
    found = Container(
        node=node,
        name=values.name(node, "name"),
        image=node.text("image", required=True),
        pull=_PULL[node.text("imagePullPolicy", *_PULL)],
        command=tuple(command) or None,
        args=tuple(args),
        env=tuple(f"{name}={value}" for name, value in variables.items()),
        workdir=node.text("workingDir"),
        tty=bool(node.flag("tty")),
        stdin=bool(node.flag("stdin")),
        stdin_once=bool(node.flag("stdinOnce")),
        ports=ports,
        mounts=tuple(_mount(one) for one in node.nodes("volumeMounts")),
        confinement=around if security is None else confinement(security, around),
        probe=None if init else probe(node),
        memory=memory,
        memory_reservation=asked_memory,
        milli_cpus=cpus,
        milli_cpus_asked=asked_cpus,
    )
    node.close()
    for position, mount in enumerate(found.mounts):
        if mount.path in [other.path for other in found.mounts[:position]]:
            raise node.error("volumeMounts", f"two volumes are mounted at {mount.path}")
    return found


def _resources(node: Node) -> tuple[int, int, int, int]:
    """Memory in bytes and processors in thousandths, of limits and of requests."""
    resources = node.node("resources")
    found = []
    for key in ("limits", "requests"):
        asked = resources.node(key) if resources else None
        found += [values.size(asked, "memory"), values.quantity(asked, "cpu")] if asked else [0, 0]
        if asked is not None:
            asked.close()
    if resources is not None:
        resources.close()
    return found[0], found[1], found[2], found[3]


def _ports(node: Node) -> tuple[Port, ...]:
    found = []
    for entry in node.nodes("ports"):
        number = entry.number("containerPort", 1, 65535)
        if number is None:
            raise entry.error("containerPort", "is required")
        protocol = entry.text("protocol", "TCP", "UDP").lower() or "tcp"
        address, host = entry.text("hostIP"), entry.number("hostPort", 0, 65535) or 0
        if any(letter in address for letter in "[]/ ,="):
            raise entry.error("hostIP", f"{address!r} is no address")
        entry.text("name")
        entry.close()
        found.append(Port(number, host, address, protocol))
    return tuple(found)


def _mount(node: Node) -> VolumeMount:
    path = node.text("mountPath", required=True)
    if not path.startswith("/") or not path.strip("/") or ".." in path.split("/"):
        raise node.error("mountPath", f"{path!r} is no absolute path below /")
    found = VolumeMount(
        node.text("name", required=True),
        "/" + "/".join(part for part in path.split("/") if part not in ("", ".")),
        bool(node.flag("readOnly")),
        values.relative(node, "subPath", node.text("subPath")),
        _PROPAGATION[node.text("mountPropagation", *_PROPAGATION)],
    )
    node.close()
    return found
