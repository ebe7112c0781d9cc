"""What a merged tree leaves out, filled in; what one key implies of another. compose-go's defaults and normalisation."""

from __future__ import annotations

from typing import Any

from rootless.yamltext.document import Tree

_RESOURCES = ("networks", "volumes", "secrets", "configs")


def fill(tree: Tree) -> None:
    """The defaults of entries: of builds, ports, mounts, secrets, dependencies."""
    for service in (tree.get("services") or {}).values():
        build = service.get("build")
        if build is not None:
            build.setdefault("context", ".")
            for secret in build.get("secrets") or ():
                secret.setdefault("target", secret.get("source"))
        for port in service.get("ports") or ():
            port.setdefault("mode", "ingress")
            port.setdefault("protocol", "tcp")
        for mount in service.get("volumes") or ():
            if mount.get("type") == "bind":
                mount.setdefault("bind", {}).setdefault("create_host_path", True)
        for secret in service.get("secrets") or ():
            target = str(secret.setdefault("target", f"/run/secrets/{secret.get('source')}"))
            if not target.startswith("/"):
                secret["target"] = f"/run/secrets/{target}"
        for entry in service.get("env_file") or ():
            entry.setdefault("required", True)
        for entry in (service.get("depends_on") or {}).values():
            entry.setdefault("required", True)
            entry.setdefault("condition", "service_started")
        reservations = ((service.get("deploy") or {}).get("resources") or {}).get("reservations") or {}
        for request in [*(service.get("gpus") or ()), *(reservations.get("devices") or ())]:
            if "count" not in request and "device_ids" not in request:
                request["count"] = -1


def normalise(tree: Tree, name: str, environment: dict[str, str]) -> None:
    """Names of resources, the default network, dependencies that other keys imply, variables without a value."""
    services = tree.setdefault("services", {})
    for service in services.values():
        if service.get("pull_policy") == "if_not_present":
            service["pull_policy"] = "missing"
        if "network_mode" not in service and not service.get("networks") and "provider" not in service:
            service["networks"] = {"default": None}
        build = service.get("build")
        if build is not None:
            if not build.get("dockerfile") and not build.get("dockerfile_inline"):
                build["dockerfile"] = "Dockerfile"
            if "args" in build:
                build["args"] = _resolved(build["args"], environment, keep_unset=False)
        if "environment" in service:
            service["environment"] = _resolved(service["environment"], environment, keep_unset=True)
        _imply(service)
    # `default` is there where it is used, or where the file names it.
    networks = tree.setdefault("networks", {})
    if any("default" in (service.get("networks") or ()) for service in services.values()):
        networks.setdefault("default", None)
    for kind in _RESOURCES:
        entries = tree.get(kind)
        if not entries:
            tree.pop(kind, None)
            continue
        for key, entry in entries.items():
            entries[key] = entry = dict(entry or {})
            if not entry.get("name"):
                entry["name"] = key if entry.get("external") else f"{name}_{key}"


def _resolved(variables: dict[str, Any], environment: dict[str, str], *, keep_unset: bool) -> dict[str, Any]:
    found = {}
    for key, value in variables.items():
        value = environment.get(key) if value is None else value
        if value is not None or keep_unset:
            found[key] = value
    return found


def _imply(service: Tree) -> None:
    implied: list[tuple[str, bool]] = [(link.partition(":")[0], True) for link in service.get("links") or ()]
    for key in ("network_mode", "ipc", "pid", "uts", "cgroup"):
        mode = service.get(key)
        if isinstance(mode, str) and mode.startswith("service:"):
            implied.append((mode.removeprefix("service:"), True))
    for word in service.get("volumes_from") or ():
        if not word.startswith("container:"):
            implied.append((word.partition(":")[0], False))
    contexts = (service.get("build") or {}).get("additional_contexts") or {}
    del contexts  # of an image that is built first: plan/builds.py orders those, they are no dependencies at run time
    for other, restart in implied:
        entry: Tree = {"condition": "service_started", "required": True}
        if restart:
            entry["restart"] = True
        service.setdefault("depends_on", {}).setdefault(other, entry)
