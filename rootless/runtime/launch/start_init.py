"""An init, cloned into its namespaces and its cgroup, with its ids: one way for a launch and for rootless-oci.
Hot path."""

from __future__ import annotations

import os

from rootless.record import TYPE_CHECKING, Record
from rootless.runtime import child, namespaces, sync
from rootless.runtime.descriptors import close_all
from rootless.runtime.launch import init
from rootless.undo import Undo

if TYPE_CHECKING:
    from rootless.runtime.launch.cgroup import ContainerCgroup
    from rootless.runtime.launch.intermediate import WriteMaps


class StartedInit(Record):
    """An init that sets its container up: our child, in its cgroup, with its ids. The descriptors are the caller's:
    a pidfd, the user and the network namespace."""

    pid: int
    pidfd: int
    channel: sync.Channel
    user_fd: int
    network_fd: int


def start_init(
    config: init.InitConfig, joined: namespaces.Joined, write_maps: WriteMaps | None, cgroup: ContainerCgroup
) -> StartedInit:
    """Clone the init of `config`, by way of an intermediate process where namespaces are `joined` or `cgroup`
    limits the processes by a user namespace, and let it begin.

    The caller has one thread. `write_maps` is None where the init makes no user namespace. The descriptors that
    only the init needs are closed here, those of `joined` too. RootlessError or OSError, after which the init
    has ended; the cgroup is the caller's to remove.
    """
    with Undo() as undo:
        indirect = bool(joined.fds) or cgroup.processes > 0
        channel, of_init = sync.pair(cloned=indirect)
        undo.add(channel.close)
        intermediate = -1
        if indirect:
            from rootless.runtime.launch.intermediate import clone_via_intermediate

            pid, intermediate = clone_via_intermediate(config, joined, write_maps, cgroup, channel, of_init)
        else:
            pid = _clone(config, joined, cgroup, channel, of_init)
        of_init.close()
        pidfd = child.open_child(pid)
        undo.add(lambda: os.close(pidfd))
        undo.add(lambda: child.end(pidfd))
        close_all({*init.handed_over(config), *(fd for _, fd in joined.fds)})
        if write_maps is not None and not cgroup.processes:
            write_maps(pid)
        cgroup.enter(pid)
        user, network = _begin(config, pid, channel)
        if intermediate > 0:
            os.waitpid(intermediate, 0)
    return StartedInit(pid, pidfd, channel, user, network)


def _clone(
    config: init.InitConfig, joined: namespaces.Joined, cgroup: ContainerCgroup, channel: sync.Channel, of_init: sync.Channel
) -> int:
    try:
        pid = cgroup.clone(joined.new)
    except OSError as error:
        raise namespaces.refused(error) from None
    if pid == 0:
        channel.close()
        init.run_init(config, of_init)
    return pid


def _begin(config: init.InitConfig, pid: int, channel: sync.Channel) -> tuple[int, int]:
    """Tell the init that it has its ids. Returns descriptors of its user and network namespace."""
    if config.undumpable:
        channel.send("mapped")
        user, network = channel.expect("namespaces").fds
        return user, network
    # Before "mapped": afterwards nobody opens files of its /proc directory, its namespaces not either.
    user, network = namespaces.open_of(pid, "user"), namespaces.open_of(pid, "net")
    channel.send("mapped")
    return user, network
