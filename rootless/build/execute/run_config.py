"""The container of a RUN as a container's record: what `create` would fix, of a build's words. Pure."""

from __future__ import annotations

from typing import NamedTuple

from rootless.build.execute.run_mounts import StepMount
from rootless.build.plan.steps import PipeFile
from rootless.engine.lifecycle.create import make_record
from rootless.engine.lifecycle.create_rules import check
from rootless.engine.lifecycle.request import Request
from rootless.engine.options.mount_config import Mount
from rootless.engine.options.resources import Resources
from rootless.engine.options.values import Ulimit
from rootless.engine.state import emulated_ids
from rootless.engine.state.config import ContainerConfig, Network, default_network

HOSTNAME = "buildkitsandbox"
"""What a build's container is called, unless BUILDKIT_SANDBOX_HOSTNAME says otherwise."""
_MODES = {"": "bridge", "default": "bridge", "none": "none", "host": "host"}


class Limits(NamedTuple):
    """What the command line says of all RUNs of a build."""

    add_host: list[str] = []
    dns: list[str] = []
    dns_search: list[str] = []
    dns_options: list[str] = []
    shm_size: int = 64 * 1024 * 1024
    ulimits: list[Ulimit] = []
    resources: Resources = {}
    cgroup_parent: str = ""
    cap_add: list[str] = []
    cap_drop: list[str] = []
    hostname: str = HOSTNAME


class RunRequest(NamedTuple):
    """One RUN: its words whole (the shell before them), `env` complete, `network` as --network has it."""

    args: list[str]
    env: list[str]
    cwd: str
    user: str
    network: str = "default"
    mounts: list[StepMount] = []
    files: list[PipeFile] = []
    limits: Limits = Limits()
    narrow: bool = False  # as in ContainerConfig
    privileged: bool = False  # --security=insecure: what `run --privileged` gives, and no more


def _network(request: RunRequest) -> Network:
    """What `run` has without --network, or with that of the step."""
    mode, limits = _MODES[request.network], request.limits
    found: Network = {
        "mode": mode,
        "options": [],
        "ports": [],
        "exposed": [],
        "publish_all": False,
        "dns": limits.dns,
        "dns_search": limits.dns_search,
        "dns_options": limits.dns_options,
        "add_host": limits.add_host,
    }
    if mode == "bridge":
        found |= {"networks": default_network(), "default": True}
    return found


def container_config(request: RunRequest, mounts: list[Mount], env: list[str]) -> ContainerConfig:
    """The record of the step's container; InvalidInput for what could never start."""
    limits = request.limits
    record = make_record(
        Request(
            network=_network(request),
            log={"driver": "none", "max_size": 0, "max_files": 1},
            security={
                "privileged": request.privileged,
                "cap_add": limits.cap_add,
                "cap_drop": limits.cap_drop,
                "no_new_privileges": not request.privileged,
                "seccomp": "",
                "apparmor": "",
                "label": [],
                "unmask": [],
                "mask": [],
            },
            restart={"name": "no", "retries": 0},
            cmd=request.args,
            name=limits.hostname,
            user=request.user,
            workdir=request.cwd,
            hostname=limits.hostname,
            auto_remove=True,
            ids=emulated_ids.configured(),
            ulimits=limits.ulimits,
            shm_size=limits.shm_size,
            resources=limits.resources,
            cgroup_parent=limits.cgroup_parent,
        ),
        None,
    )
    record["mounts"] = mounts
    if request.narrow:
        record["narrow"] = True
    check(record)
    record["env"] = [*request.env, *env]
    return record
