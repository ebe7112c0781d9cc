"""The intermediate process: joins existing namespaces, clones the init in them, exits.

A process cannot leave a pid namespace that it has chosen for its children, nor a user namespace, and the
supervisor has other children: so the intermediate joins instead, and the init becomes the supervisor's child
all the same. Imported in the supervisor, single-threaded, only where an intermediate is needed.
"""

from __future__ import annotations

import os

from rootless.errors import FAILURES
from rootless.linux import signal
from rootless.linux.namespace import CLONE_NEWUSER
from rootless.linux.process import set_dumpable, set_pdeathsig
from rootless.record import TYPE_CHECKING
from rootless.runtime import descriptors, namespaces, sync
from rootless.runtime.clone import CLONE_PARENT, clone
from rootless.runtime.launch import init
from rootless.runtime.process import credentials, scheduling

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

    from rootless.runtime.launch.cgroup import ContainerCgroup

    # Writes the id maps of the user namespace that the process with this pid is in.
    WriteMaps = Callable[[int], None]


def clone_via_intermediate(
    config: init.InitConfig,
    joined: namespaces.Joined,
    write_maps: WriteMaps | None,
    cgroup: ContainerCgroup,
    channel: sync.Channel,
    of_init: sync.Channel,
) -> tuple[int, int]:
    """Clone the init from inside the `joined` namespaces, and below a user namespace that limits its processes to
    `cgroup.processes`, in which the intermediate calls `write_maps` itself. `channel` is our end, `of_init` (closed)
    the init's.

    Returns the pids of the init and of the intermediate, both children of the caller; -1 for one that has been
    waited for. The other exits by itself, and to wait for it right away would be time lost: its interpreter ends.
    """
    of_intermediate, mapped = sync.pair()
    intermediate = clone(CLONE_NEWUSER) if cgroup.processes else os.fork()
    if intermediate == 0:
        mapped.close()
        channel.close()
        _run_intermediate(config, joined, write_maps, cgroup, of_init, of_intermediate)
    of_intermediate.close()
    of_init.close()  # so that the end of the intermediate and of the init is an end of file here
    try:
        if cgroup.processes:
            namespaces.write_map(intermediate, "uid", namespaces.id_map("uid", []))
            namespaces.write_map(intermediate, "gid", namespaces.id_map("gid", []))
            mapped.send("mapped")
        pid = channel.expect_cloned()
    except BaseException:
        mapped.close()
        os.waitpid(intermediate, 0)
        raise
    mapped.close()
    if cgroup.processes:
        os.waitpid(intermediate, 0)  # then the init has its ids, or the intermediate's error is on its way
        return pid, -1
    return pid, intermediate


def _join_namespaces(
    config: init.InitConfig, joined: namespaces.Joined, channel: sync.Channel, kept: tuple[int, ...]
) -> None:
    """Join the namespaces, ready to clone the init: with nothing open but what it needs and `kept`, and, for an
    undumpable init, so that nobody in them can trace us, or the init from its first moment on."""
    if config.undumpable:
        # While /proc/self is still ours to write; the init inherits what is written there.
        scheduling.set_oom_score(config.spec["process"])
        linux = config.spec.get("linux") or {}
        if scheduling.wants_time(linux):
            users = tuple(pair for pair in joined.fds if pair[0] == "user")
            namespaces.join(joined._replace(fds=users))
            scheduling.apply_time(linux)
            joined = joined._replace(fds=joined.fds[len(users) :])
        set_dumpable(False)
    namespaces.join(joined)
    descriptors.keep_only((*init.needed_descriptors(config, channel), *kept))


def _run_intermediate(
    config: init.InitConfig,
    joined: namespaces.Joined,
    write_maps: WriteMaps | None,
    cgroup: ContainerCgroup,
    of_init: sync.Channel,
    of_intermediate: sync.Channel,
) -> NoReturn:
    step = "join namespaces"
    try:
        set_pdeathsig(signal.SIGKILL)
        if cgroup.processes:
            of_intermediate.expect("mapped")
            os.setresgid(0, 0, 0)
            os.setresuid(0, 0, 0)
            set_pdeathsig(signal.SIGKILL)
            # Holds for the user namespaces that this process makes from now on.
            config = config._replace(processes=credentials.limit_processes(cgroup.processes))
        _join_namespaces(config, joined, of_init, (cgroup.clone_fd,))
        step = "make the namespaces"
        try:
            pid = cgroup.clone(joined.new | CLONE_PARENT)
        except OSError as error:
            raise namespaces.refused(error) from None
        if pid == 0:
            of_init.send("cloned")
            init.run_init(config, of_init)
        if write_maps is not None and cgroup.processes:
            step = "map user and group ids"
            write_maps(pid)
    except FAILURES as error:
        of_init.send_error(error, step=step)
    finally:
        descriptors.drop_everything()
        os._exit(0)
