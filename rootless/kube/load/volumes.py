"""The volumes of a pod."""

from __future__ import annotations

from rootless.kube.load import values
from rootless.kube.load.environment import Sources, named
from rootless.kube.load.model import File, PodVolume
from rootless.kube.load.node import Node

_TYPES = ("Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket")


def volumes(spec: Node, sources: Sources) -> dict[str, PodVolume]:
    """By name. InvalidInput."""
    found: dict[str, PodVolume] = {}
    for node in spec.nodes("volumes"):
        name = values.name(node, "name")
        if name in found:
            raise node.error("name", f"there are two volumes called {name}")
        found[name] = _volume(node, name, sources)
    return found


def _volume(node: Node, name: str, sources: Sources) -> PodVolume:
    host, empty, claim = node.node("hostPath"), node.node("emptyDir"), node.node("persistentVolumeClaim")
    maps, secret = node.node("configMap"), node.node("secret")
    node.close()
    kinds = [one for one in (host, empty, claim, maps, secret) if one is not None]
    if len(kinds) != 1:
        raise node.error("", "one of hostPath, emptyDir, persistentVolumeClaim, configMap and secret is wanted")
    if host is not None:
        found = PodVolume(node, name, "hostPath", host.text("path", required=True), host.text("type", *_TYPES))
        if not found.source.startswith("/") or ".." in found.source.split("/"):
            raise host.error("path", f"{found.source!r} is no absolute path without '..'")
    elif empty is not None:
        medium, size = empty.text("medium", "Memory"), values.size(empty, "sizeLimit")
        if size and not medium:
            raise empty.error("sizeLimit", "is not supported but with medium: Memory: nobody counts what is on the disk")
        found = PodVolume(node, name, "memory" if medium else "emptyDir", size=size)
    elif claim is not None:
        found = PodVolume(node, name, "claim", values.name(claim, "claimName"), read_only=bool(claim.flag("readOnly")))
    elif maps is not None:
        found = PodVolume(node, name, "files", read_only=True, files=_files(maps, sources, "ConfigMap", "name"))
    else:
        assert secret is not None
        found = PodVolume(node, name, "files", read_only=True, files=_files(secret, sources, "Secret", "secretName"))
    kinds[0].close()
    return found


def _files(node: Node, sources: Sources, kind: str, key: str) -> tuple[File, ...]:
    data = named(node, sources.maps if kind == "ConfigMap" else sources.secrets, kind, key, needed=sources.needed)
    mode = node.number("defaultMode", 0, 0o777)
    default = 0o644 if mode is None else mode
    if not node.has("items"):
        return tuple(File(name, text, default) for name, text in data.items())
    found = []
    for entry in node.nodes("items"):
        name, own = entry.text("key", required=True), entry.number("mode", 0, 0o777)
        path = values.relative(entry, "path", entry.text("path", required=True))
        if not path:
            raise entry.error("path", "is required")
        entry.close()
        if name in data:
            found.append(File(path, data[name], default if own is None else own))
        elif not node.flag("optional") and sources.needed:
            raise entry.error("key", f"the {kind} has no key {name}")
    return tuple(found)
