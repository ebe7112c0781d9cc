"""The spec of a Pod, or of a template."""

from __future__ import annotations

import ipaddress

from rootless.kube.load.confinement import confinement
from rootless.kube.load.container import container
from rootless.kube.load.environment import OfPod, Sources
from rootless.kube.load.model import Confinement, Container, HostAlias, Pod
from rootless.kube.load.node import Node
from rootless.kube.load.volumes import volumes


def pod(node: Node, name: str, labels: dict[str, str], annotations: dict[str, str], sources: Sources) -> Pod:
    """The pod that the spec of `node` describes. InvalidInput with the path of what it cannot be."""
    spec = node.node("spec")
    if spec is None:
        raise node.error("spec", "is required")
    of_pod = OfPod(name, labels, annotations)
    around, groups, sysctls = _security(spec)
    found = Pod(
        node=spec,
        name=name,
        labels=labels,
        annotations=annotations,
        containers=tuple(container(one, sources, of_pod, around) for one in spec.nodes("containers")),
        init=tuple(container(one, sources, of_pod, around, init=True) for one in spec.nodes("initContainers")),
        volumes=volumes(spec, sources),
        restart=spec.text("restartPolicy", "Always", "OnFailure", "Never") or "Always",
        hostname=spec.text("hostname") or name[:63].rstrip("-."),
        host_network=bool(spec.flag("hostNetwork")),
        host_pid=bool(spec.flag("hostPID")),
        host_ipc=bool(spec.flag("hostIPC")),
        share_pid=bool(spec.flag("shareProcessNamespace")),
        own_users=spec.flag("hostUsers") is False,
        stop_timeout=spec.number("terminationGracePeriodSeconds", 0, 1 << 31),
        aliases=tuple(_alias(one) for one in spec.nodes("hostAliases")),
        groups=groups,
        sysctls=sysctls,
        **_dns(spec),
    )
    for key in ("automountServiceAccountToken", "enableServiceLinks"):
        if spec.flag(key):
            raise spec.error(key, "is not supported: there is no cluster behind the pod", f"write {key}: false")
    spec.close()
    _check(spec, found)
    return found


def _security(spec: Node) -> tuple[Confinement, tuple[int, ...], dict[str, str]]:
    node = spec.node("securityContext")
    if node is None:
        return Confinement(), (), {}
    found = confinement(node, Confinement(), of_pod=True)
    groups = tuple(node.numbers("supplementalGroups"))
    sysctls = {}
    for entry in node.nodes("sysctls"):
        sysctls[entry.text("name", required=True)] = entry.text("value", required=True)
        entry.close()
    node.close()
    return found, groups, sysctls


def _alias(node: Node) -> HostAlias:
    address, names = node.text("ip", required=True), node.texts("hostnames")
    try:
        ipaddress.ip_address(address)
    except ValueError:
        raise node.error("ip", f"{address!r} is no address") from None
    for name in names:
        if not name.isprintable() or " " in name or ":" in name or not name:
            raise node.error("hostnames", f"{name!r} is no name")
    node.close()
    return HostAlias(address, tuple(names))


def _dns(spec: Node) -> dict[str, tuple[str, ...]]:
    policy = spec.text("dnsPolicy", "ClusterFirst", "ClusterFirstWithHostNet", "Default", "None")
    node = spec.node("dnsConfig")
    found: dict[str, tuple[str, ...]] = {"dns": (), "searches": (), "dns_options": ()}
    if node is not None:
        options = []
        for entry in node.nodes("options"):
            name, value = entry.text("name", required=True), entry.text("value")
            options.append(f"{name}:{value}" if value else name)
            entry.close()
        found = {"dns": tuple(node.texts("nameservers")), "searches": tuple(node.texts("searches")), "dns_options": tuple(options)}
        if not all(word.isprintable() and " " not in word for words in found.values() for word in words):
            raise node.error("", "a word has a blank or a control character")
        node.close()
    if policy == "None" and not found["dns"]:
        raise spec.error("dnsPolicy", "None wants dnsConfig.nameservers")
    return found


def _check(spec: Node, found: Pod) -> None:
    """What holds between the parts."""
    if not found.containers:
        raise spec.error("containers", "is required")
    names: set[str] = set()
    every: tuple[Container, ...] = (*found.init, *found.containers)
    for one in every:
        if one.name in names:
            raise one.node.error("name", f"there are two containers called {one.name}")
        names.add(one.name)
        for mount in one.mounts:
            if mount.volume not in found.volumes:
                raise one.node.error("volumeMounts", f"the pod has no volume {mount.volume}")
            if mount.subpath and found.volumes[mount.volume].kind in ("hostPath", "memory"):
                what = "hostPath" if found.volumes[mount.volume].kind == "hostPath" else "emptyDir of memory"
                raise one.node.error(
                    "volumeMounts", f"subPath of a {what} is not supported", "write the whole path as a hostPath volume of its own"
                )
        for port in one.ports:
            if found.host_network and port.host not in (0, port.container):
                raise one.node.error("ports", "with hostNetwork, hostPort must be containerPort")
    for volume in found.volumes.values():
        users = [one for one in every if any(mount.volume == volume.name for mount in one.mounts)]
        if volume.kind == "memory" and len(users) > 1:
            raise volume.node.error("emptyDir", "medium: Memory is not supported where several containers mount it")
    if found.share_pid and found.host_pid:
        raise spec.error("shareProcessNamespace", "cannot be had beside hostPID")


