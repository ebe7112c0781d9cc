"""From an OCI configuration to all that its init needs, for a launch and for rootless-oci. Hot path."""

from __future__ import annotations

from rootless.linux.namespace import CLONE_NEWUSER
from rootless.record import TYPE_CHECKING
from rootless.runtime import namespaces
from rootless.runtime.launch.init import InitConfig
from rootless.runtime.mounts.plan import PlanFacts, build_plan
from rootless.runtime.process import credentials, landlock
from rootless.runtime.process.run_command import Confinement
from rootless.runtime.seccomp import profile

if TYPE_CHECKING:
    from typing import Any

    from rootless.runtime.mounts.rootfs import Rootfs


def plan_facts(joined: namespaces.Joined, gid_map: str | None) -> PlanFacts:
    """What the mounts depend on besides the configuration. `gid_map` is None where the init makes no user
    namespace."""
    kinds = {kind for kind, _ in joined.fds}

    def own(name: str) -> bool:
        return bool(joined.new & namespaces.FLAGS[name]) or name in kinds

    return PlanFacts(
        own_pid=own("pid"),
        own_network=own("network"),
        own_ipc=own("ipc"),
        own_uts=own("uts"),
        tty_group=gid_map is None or namespaces.is_mapped(gid_map, 5),
    )


def build_init_config(
    spec: dict[str, Any],
    root: Rootfs,
    joined: namespaces.Joined,
    facts: PlanFacts,
    *,
    size: tuple[int, int],
    cache_dir: str,
    program: int,
) -> InitConfig:
    """The init of `spec`; every error that can be found before there is a process is raised here.

    `size` is the terminal's (rows, columns), compiled filters are kept in `cache_dir`, and `program` is the
    sealed program that executes the command. The streams are the caller's to add.
    """
    process = spec["process"]
    return InitConfig(
        spec=spec,
        root=root,
        plan=build_plan(spec, facts, root_readonly=root.readonly),
        new=joined.new,
        stdio=None,
        rows=size[0],
        columns=size[1],
        confinement=Confinement(
            credentials.read_process_capabilities(process),
            profile.filter_of(spec, cache_dir=cache_dir),
            landlock.needed(process, own_network=facts.own_network, own_pid=facts.own_pid),
        ),
        program=program,
        # A user namespace of its own keeps others out; one that is joined has others in it.
        undumpable=bool(joined.fds) and not joined.new & CLONE_NEWUSER,
    )
