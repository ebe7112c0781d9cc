"""What a compose file may ask for and cannot be had here: an error by its name. Nothing is ignored without a word."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rootless.compose.load.project import Project
from rootless.compose.plan.images import is_policy
from rootless.errors import InvalidInput, NotSupported

_WINDOWS = "that is for containers of Windows"
_MODELS = "a server of models is a service as others: its image, and its address in environment:"
_REFUSED = {
    "cpu_count": (_WINDOWS, "cpus"), "cpu_percent": (_WINDOWS, "cpus"), "credential_spec": (_WINDOWS, "leave it out"),
    "cpu_rt_period": ("real-time shares need control groups of version 1 and root", "cpu_shares"),
    "cpu_rt_runtime": ("real-time shares need control groups of version 1 and root", "cpu_shares"),
    "device_cgroup_rules": ("which devices a container may use is up to the rights of this account", "devices"),
    "mem_swappiness": ("cgroup v2 has no such limit", "memswap_limit"),
    "models": ("there is no model runner", _MODELS),
    "oom_kill_disable": ("cgroup v2 has no such switch", "oom_score_adj"),
    "storage_opt": ("a container's layer has no size of its own", "a volume"),
}  # fmt: skip
_RUNTIMES = ("", "runc", "crun", "io.containerd.runc.v2", "rootless", "rootless-oci")
_SWARM = ("update_config", "rollback_config", "placement", "endpoint_mode")


def refuse(project: Project) -> list[str]:
    """Raise NotSupported for the first key that asks for what cannot be had; what a swarm alone would heed, a line each."""
    notes: list[str] = []
    for name, config in project.services.items():
        for key, (why, instead) in _REFUSED.items():
            if config.get(key) not in (None, False, [], {}, ""):
                raise NotSupported(f"services.{name}.{key} is not supported: {why}", hint=instead)
        for place, why, instead in _details(config):
            raise NotSupported(f"services.{name}.{place} is not supported: {why}", hint=instead)
        if not is_policy(str(config.get("pull_policy") or "")):
            raise InvalidInput(f"services.{name}.pull_policy: invalid value {config['pull_policy']!r}",
                               hint="always, never, missing, build, daily, weekly or every_3d")  # fmt: skip
        deploy = config.get("deploy") or {}
        notes += [f"services.{name}.deploy.{key} is for a swarm and has no effect" for key in _SWARM if deploy.get(key)]
    for kind in ("secrets", "configs"):
        for name, entry in project.resources(kind).items():
            if entry.get("external"):
                raise NotSupported(f"unsupported external {kind.removesuffix('s')} {name}",
                                   hint="those are a swarm's: take it from a file (file:), a variable (environment:) or, of a config, "
                                        "from the compose file (content:)")  # fmt: skip
            for key in ("driver", "template_driver"):
                if entry.get(key):
                    raise NotSupported(f"{kind}.{name}.{key} is not supported: that is for a swarm", hint="leave it out")
    for name, entry in project.resources("volumes").items():
        if entry.get("driver") not in (None, "", "local"):
            raise NotSupported(f"volumes.{name}.driver: no volume driver '{entry['driver']}'", hint="`local` is the only one")
    if project.resources("models"):
        raise NotSupported("models are not supported: there is no model runner", hint=_MODELS)
    return notes


def _details(config: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Place, reason, and what to do instead."""
    for at, hook in enumerate(config.get("pre_start") or ()):
        if hook.get("per_replica") in (True, "true"):
            yield f"pre_start[{at}].per_replica", "an init container runs once for a service", "leave it out"
    if config.get("isolation") not in (None, "", "default"):
        yield "isolation", _WINDOWS, "leave it out"
    if config.get("runtime") not in (None, *_RUNTIMES):
        yield "runtime", f"there is one runtime, and {config['runtime']} is none of its names", "leave it out"
    if (config.get("blkio_config") or {}).get("weight_device"):
        yield "blkio_config.weight_device", "weights are of a container, not of its devices", "blkio_config.weight"
    for at, mount in enumerate(config.get("volumes") or ()):
        if mount.get("type") in ("npipe", "cluster"):
            yield f"volumes[{at}].type {mount['type']}", "there is no swarm and no Windows here", "bind, volume, tmpfs or image"
        elif mount.get("type") not in ("bind", "volume", "tmpfs", "image"):
            yield f"volumes[{at}].type {mount.get('type')}", "there is no such kind of mount", "bind, volume, tmpfs or image"
    for name, network in (config.get("networks") or {}).items():
        if (network or {}).get("link_local_ips"):
            yield f"networks.{name}.link_local_ips", "an interface has the addresses of its network", "ipv4_address or ipv6_address"
    for key in ("uts", "cgroup"):
        if str(config.get(key, "")).startswith("service:"):
            yield key, "that namespace cannot be another service's", "host, or leave it out"
    resources = (config.get("deploy") or {}).get("resources") or {}
    for part in ("limits", "reservations"):
        if (resources.get(part) or {}).get("generic_resources"):
            yield f"deploy.resources.{part}.generic_resources", "that is for a swarm", "leave it out"
    mode = (config.get("deploy") or {}).get("mode")
    if mode not in (None, "", "replicated"):
        yield f"deploy.mode {mode}", "that is for a swarm", "replicas or scale"
    build = config.get("build") or {}
    for key in ("provenance", "sbom"):
        if build.get(key) not in (None, False, "", "false"):
            yield f"build.{key}", "rootless makes no attestations", f"leave it out, or write {key}: false"
    if build.get("isolation") not in (None, "", "default"):
        yield "build.isolation", _WINDOWS, "leave it out"
    if build.get("network") not in (None, "", "default", "none", "host"):
        yield f"build.network {build['network']}", "a build is on the default network", "default, none or host"
