"""securityContext, of a pod and of a container."""

from __future__ import annotations

from rootless.kube.load.model import Confinement
from rootless.kube.load.node import Node

_LAST = (1 << 31) - 1


def confinement(node: Node, around: Confinement, *, of_pod: bool = False) -> Confinement:
    """What the context says, over what the pod's does. The caller closes the pod's; a container's is closed here."""
    found = around
    if (user := node.number("runAsUser", 0, _LAST)) is not None:
        found = found._replace(user=user)
    if (group := node.number("runAsGroup", 0, _LAST)) is not None:
        found = found._replace(group=group)
    if (non_root := node.flag("runAsNonRoot")) is not None:
        found = found._replace(non_root=non_root)
    if seccomp := _seccomp(node):
        found = found._replace(seccomp=seccomp)
    if label := _label(node):
        found = found._replace(label=label)
    if found.non_root and found.user == 0:
        raise node.error("runAsNonRoot", "runAsUser is 0, which is root")
    return found if of_pod else _own(node, found)


def _own(node: Node, found: Confinement) -> Confinement:
    capabilities = node.node("capabilities")
    add: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    if capabilities is not None:
        add, drop = tuple(capabilities.texts("add")), tuple(capabilities.texts("drop"))
        capabilities.close()
    privileged, escalation = bool(node.flag("privileged")), node.flag("allowPrivilegeEscalation")
    if privileged and escalation is False:
        raise node.error("allowPrivilegeEscalation", "cannot be false for a privileged container")
    found = found._replace(
        privileged=privileged, add=add, drop=drop, escalation=escalation,
        read_only_root=bool(node.flag("readOnlyRootFilesystem")),
        unmasked=node.text("procMount", "Default", "Unmasked") == "Unmasked",
    )  # fmt: skip
    node.close()
    return found


def _seccomp(node: Node) -> str:
    """As --security-opt seccomp= has it."""
    profile = node.node("seccompProfile")
    if profile is None:
        return ""
    kind = profile.text("type", "RuntimeDefault", "Unconfined", "Localhost", required=True)
    path = profile.text("localhostProfile")
    if (kind == "Localhost") != bool(path) or (path and not path.startswith("/")):
        raise profile.error("localhostProfile", "is the absolute path of a profile, of type Localhost and no other")
    profile.close()
    return {"RuntimeDefault": "builtin", "Unconfined": "unconfined"}.get(kind, path)


def _label(node: Node) -> tuple[str, ...]:
    options = node.node("seLinuxOptions")
    if options is None:
        return ()
    found = tuple(f"{key}:{word}" for key in ("user", "role", "type", "level") if (word := options.text(key)))
    options.close()
    return found
