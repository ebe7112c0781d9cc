"""A project as `docker compose config` prints it: compose-go's order of keys, its spelling of sizes and modes.

What is empty is left out. In JSON `command` and `entrypoint` always stand, null where the image's go.
"""

from __future__ import annotations

import json
from typing import Any

from rootless.compose.load.project import Project
from rootless.yamltext.document import Tree
from rootless.yamltext.emit import emit

_TOP = "name services networks volumes secrets configs models"
_SERVICE = (
    "profiles annotations attach build develop blkio_config cap_add cap_drop cgroup_parent cgroup cpu_count cpu_percent cpu_period "
    "cpu_quota cpu_rt_period cpu_rt_runtime cpus cpuset cpu_shares command configs container_name credential_spec depends_on deploy "
    "device_cgroup_rules devices dns dns_opt dns_search domainname entrypoint provider environment env_file expose extends "
    "external_links extra_hosts group_add gpus hostname healthcheck image init ipc isolation labels label_file links logging mem_limit "
    "mem_reservation memswap_limit mem_swappiness mac_address models network_mode networks oom_kill_disable oom_score_adj pid "
    "pids_limit platform ports privileged pull_policy pull_refresh_after read_only restart runtime scale secrets security_opt shm_size "
    "stdin_open stop_grace_period stop_signal storage_opt sysctls tmpfs tty ulimits use_api_socket user userns_mode uts volumes "
    "volumes_from working_dir pre_start post_start pre_stop"
)
_RESOURCE = "limits reservations"
_LIMIT = "cpus memory pids devices generic_resources"
_UPDATE = "parallelism delay failure_action monitor max_failure_ratio order"
_MOUNT = "type source target read_only consistency bind volume tmpfs image"
_FILE = "source target uid gid mode"
_OBJECT = "name file environment content external labels driver driver_opts template_driver"
_HOOK = "command user privileged image per_replica working_dir environment"
_REQUEST = "capabilities driver count device_ids options"
# What a mapping at this place is, by the path of keys with * for names and numbers: its keys in order.
_ORDERS = {
    (): _TOP,
    "services.*": _SERVICE,
    "services.*.build": "context dockerfile dockerfile_inline entitlements args provenance sbom ssh labels cache_from cache_to no_cache "
    "additional_contexts pull extra_hosts isolation network target secrets shm_size tags ulimits platforms privileged",
    "services.*.build.secrets.*": _FILE,
    "services.*.blkio_config": "weight weight_device device_read_bps device_read_iops device_write_bps device_write_iops",
    "services.*.configs.*": _FILE, "services.*.secrets.*": _FILE,
    "services.*.depends_on.*": "condition restart required",
    "services.*.deploy": "mode replicas labels update_config rollback_config resources restart_policy placement endpoint_mode",
    "services.*.deploy.resources": _RESOURCE, "services.*.deploy.resources.limits": _LIMIT,
    "services.*.deploy.resources.reservations": _LIMIT, "services.*.deploy.resources.reservations.devices.*": _REQUEST,
    "services.*.deploy.update_config": _UPDATE, "services.*.deploy.rollback_config": _UPDATE,
    "services.*.deploy.restart_policy": "condition delay max_attempts window",
    "services.*.deploy.placement": "constraints preferences max_replicas_per_node",
    "services.*.develop.watch.*": "path action target exec include ignore initial_sync",
    "services.*.devices.*": "source target permissions", "services.*.gpus.*": _REQUEST,
    "services.*.env_file.*": "path required format",
    "services.*.healthcheck": "test timeout interval retries start_period start_interval disable",
    "services.*.logging": "driver options",
    "services.*.networks.*":
        "aliases driver_opts gw_priority interface_name ipv4_address ipv6_address link_local_ips mac_address priority",
    "services.*.ports.*": "name mode host_ip target published protocol app_protocol",
    "services.*.volumes.*": _MOUNT, "services.*.volumes.*.bind": "selinux propagation create_host_path recursive",
    "services.*.volumes.*.volume": "labels nocopy subpath", "services.*.volumes.*.tmpfs": "size mode",
    "services.*.provider": "type options", "services.*.models.*": "endpoint_var model_var",
    "services.*.ulimits.*": "single soft hard",
    "services.*.post_start.*": _HOOK, "services.*.pre_stop.*": _HOOK, "services.*.pre_start.*": _HOOK,
    "networks.*": "name driver driver_opts ipam external internal attachable labels enable_ipv4 enable_ipv6",
    "networks.*.ipam": "driver config", "networks.*.ipam.config.*": "subnet gateway ip_range aux_addresses",
    "volumes.*": "name driver driver_opts external labels", "secrets.*": _OBJECT, "configs.*": _OBJECT,
}  # fmt: skip
_BY_PATH = {tuple(key.split(".")) if isinstance(key, str) else key: order.split() for key, order in _ORDERS.items()}
# Maps and lists by the names of whatever is in them: what is not in a table of keys counts as a name.
_NAMES = {path[: len(path) - 1] for path in _BY_PATH if path and path[-1] == "*"}
_SIZES = {"mem_limit", "mem_reservation", "memswap_limit", "shm_size", "memory", "size"}
_MODES = {("services", "*", "configs", "*", "mode"), ("services", "*", "secrets", "*", "mode"),
          ("services", "*", "build", "secrets", "*", "mode")}  # fmt: skip
_KEPT_EMPTY = {("services", "*", "command"), ("services", "*", "entrypoint")}
_KEPT_ZERO = {"replicas", "scale", "mem_swappiness", "oom_score_adj", "published", "init", "attach", "required", "create_host_path"}


def to_yaml(project: Project) -> str:
    """The project as YAML, dollars doubled so that it can be read again."""
    return emit(tree(project)).replace("$", "$$")


def to_json(project: Project) -> str:
    """The project as JSON, indented by two."""
    found = tree(project)
    for service in (found.get("services") or {}).values():
        for key in ("command", "entrypoint"):
            service.setdefault(key, None)
        if "deploy" in service:
            service["deploy"].setdefault("resources", {})
            service["deploy"].setdefault("placement", {})
    for network in (found.get("networks") or {}).values():
        network.setdefault("ipam", {})
    return _json(found).replace("$", "$$")


def _json(value: Any) -> str:
    text = json.dumps(value, indent=2, ensure_ascii=False)
    # As Go's encoder, which keeps what could end a script element.
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def tree(project: Project) -> Tree:
    """The project's mapping in the order of its keys, empty ones left out."""
    found: Tree = _ordered(project.model, ())
    return found


def model_text(model: Tree, form: str) -> str:
    """A model that was not interpolated: keys sorted, nothing left out."""
    return _json(_sorted(model)) if form == "json" else emit(_sorted(model))


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return [_sorted(one) for one in value] if isinstance(value, list) else value


def _ordered(value: Any, path: tuple[str, ...]) -> Any:
    if isinstance(value, dict):
        order = _BY_PATH.get(path)
        keys = sorted(value) if order is None else \
            [key for key in order if key in value] + sorted(key for key in value if key not in order)  # fmt: skip
        found = {}
        for key in keys:
            inner = (*path, "*" if path in _NAMES and order is None else key)
            one = _ordered(value[key], inner)
            if order is None or path == () or key.startswith("x-") or not _is_empty(one, key, inner):
                found[key] = one
        return found
    if isinstance(value, list):
        return [_ordered(one, (*path, "*")) for one in value]
    if isinstance(value, int) and not isinstance(value, bool):
        if path and path[-1] in _SIZES:
            return str(value)
        if path in _MODES:
            return f"0{value:o}"
    return value


def _is_empty(value: Any, key: str, path: tuple[str, ...]) -> bool:
    if path in _KEPT_EMPTY:
        return value is None
    if key in _KEPT_ZERO:
        return value is None or (key in ("required", "create_host_path") and value is True and path[2] != "depends_on")
    if value in (None, "", [], {}) or value is False or (value == 0 and not isinstance(value, bool)):
        return not (value == {} and path[-2:] in (("*", "bind"), ("*", "volume"), ("*", "tmpfs")))
    return False
