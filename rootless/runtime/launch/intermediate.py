"""B, which goes before a container where its namespaces are joined, and ends once it has cloned it.

A process cannot come back from a pid namespace it has chosen for its children, nor from a user
namespace, and A is to have other children: B goes in its place, and C becomes A's child all the
same. Imported in A, single-threaded, where it is needed: not for an ordinary container.
"""

from __future__ import annotations

import os

from rootless.errors import FAILURES
from rootless.linux import signal
from rootless.linux.process import set_dumpable, set_pdeathsig
from rootless.record import TYPE_CHECKING
from rootless.runtime import descriptors, namespaces, sync
from rootless.runtime.clone import CLONE_PARENT
from rootless.runtime.launch import init
from rootless.runtime.process import credentials, scheduling

if TYPE_CHECKING:
    from typing import NoReturn

    from rootless.runtime.launch.cgroup import LaunchCgroup


def clone_via_intermediate(
    config: init.InitConfig,
    place: LaunchCgroup,
    to_init: sync.Channel,
    from_supervisor: sync.Channel,
    *,
    joined: namespaces.Joined,
    maps: tuple[str, str],
) -> tuple[int, int]:
    """Clone C from inside the `joined` namespaces and the one that bounds its processes: the pids of C
    and of B, both the caller's children. `maps` are what C's user namespace gets where B has to write it.
    """
    mapped, told = sync.pair()
    between = place.clone_intermediate() if place.limits_processes else os.fork()
    if between == 0:
        told.close()
        _run_intermediate(config, place, to_init, from_supervisor, mapped, joined, maps)
    mapped.close()
    from_supervisor.close()  # that the end of B and C is an end of file here
    try:
        if place.limits_processes:
            namespaces.write_map(between, "uid", namespaces.id_map("uid", []))
            namespaces.write_map(between, "gid", namespaces.id_map("gid", []))
            told.send("mapped")
        cloned = to_init.expect_cloned()
    except BaseException:
        told.close()
        os.waitpid(between, 0)
        raise
    told.close()
    if place.limits_processes:
        os.waitpid(between, 0)  # then C has its ids, or its error is on its way
        return cloned, -1
    # Not waited for yet: what an interpreter takes to end is time for C to go on.
    return cloned, between


def join_namespaces(
    config: init.InitConfig, joined: namespaces.Joined, channel: sync.Channel, kept: tuple[int, ...] = ()
) -> None:
    """Join the namespaces in B, ready to clone C: with nothing open but what C needs and `kept`, and, where
    C is `hidden`, so that nobody in them can look into us, or into C from its first moment on."""
    if config.undumpable:
        # What takes files of /proc/self, which are soon not ours to write any more; C inherits it.
        credentials.set_oom_score(config.spec["process"])
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
    place: LaunchCgroup,
    to_init: sync.Channel,
    from_supervisor: sync.Channel,
    mapped: sync.Channel,
    joined: namespaces.Joined,
    maps: tuple[str, str],
) -> NoReturn:
    step = "join namespaces"
    try:
        set_pdeathsig(signal.SIGKILL)
        to_init.close()
        if place.limits_processes:
            mapped.expect("mapped")
            os.setresgid(0, 0, 0)
            os.setresuid(0, 0, 0)
            set_pdeathsig(signal.SIGKILL)
            config = config._replace(processes=place.limit_processes())
        join_namespaces(config, joined, from_supervisor, (place.result.fd,))
        step = "make the namespaces"
        try:
            pid = place.clone(joined.new | CLONE_PARENT)
        except OSError as error:
            raise namespaces.refused(error) from None
        if pid == 0:
            from_supervisor.send("cloned")
            init.run_init(config, from_supervisor)
        if place.limits_processes:
            step = "map user and group ids"
            namespaces.write_map(pid, "uid", maps[0])
            namespaces.write_map(pid, "gid", maps[1])
    except FAILURES as error:
        from_supervisor.send_error(error, step=step)
    finally:
        descriptors.drop_everything()
        os._exit(0)
