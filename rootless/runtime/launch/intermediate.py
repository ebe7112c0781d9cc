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

    from rootless.runtime.launch.cgroup import Birthplace


def clone_through(
    birth: init.Birth,
    place: Birthplace,
    to_c: sync.Channel,
    from_a: sync.Channel,
    *,
    joined: namespaces.Joined,
    maps: tuple[str, str],
) -> tuple[int, int]:
    """Clone C from inside the `joined` namespaces and the one that bounds its processes: the pids of C
    and of B, both the caller's children. `maps` are what C's user namespace gets where B has to write it.
    """
    mapped, told = sync.pair()
    between = place.clone_between() if place.bounds_processes else os.fork()
    if between == 0:
        told.close()
        _live(birth, place, to_c, from_a, mapped, joined, maps)
    mapped.close()
    from_a.close()  # that the end of B and C is an end of file here
    try:
        if place.bounds_processes:
            namespaces.write_map(between, "uid", namespaces.id_map("uid", []))
            namespaces.write_map(between, "gid", namespaces.id_map("gid", []))
            told.send("mapped")
        cloned = to_c.expect_cloned()
    except BaseException:
        told.close()
        os.waitpid(between, 0)
        raise
    told.close()
    if place.bounds_processes:
        os.waitpid(between, 0)  # then C has its ids, or its error is on its way
        return cloned, -1
    # Not waited for yet: what an interpreter takes to end is time for C to go on.
    return cloned, between


def enter_joined(
    birth: init.Birth, joined: namespaces.Joined, channel: sync.Channel, kept: tuple[int, ...] = ()
) -> None:
    """Join the namespaces in B, ready to clone C: with nothing open but what C needs and `kept`, and, where
    C is `hidden`, so that nobody in them can look into us, or into C from its first moment on."""
    if birth.hidden:
        # What takes files of /proc/self, which are soon not ours to write any more; C inherits it.
        credentials.set_oom_score(birth.spec["process"])
        linux = birth.spec.get("linux") or {}
        if scheduling.wants_time(linux):
            users = tuple(pair for pair in joined.fds if pair[0] == "user")
            namespaces.join(joined._replace(fds=users))
            scheduling.apply_time(linux)
            joined = joined._replace(fds=joined.fds[len(users) :])
        set_dumpable(False)
    namespaces.join(joined)
    descriptors.keep_only((*init.kept(birth, channel), *kept))


def _live(
    birth: init.Birth,
    place: Birthplace,
    to_c: sync.Channel,
    from_a: sync.Channel,
    mapped: sync.Channel,
    joined: namespaces.Joined,
    maps: tuple[str, str],
) -> NoReturn:
    step = "join namespaces"
    try:
        set_pdeathsig(signal.SIGKILL)
        to_c.close()
        if place.bounds_processes:
            mapped.expect("mapped")
            os.setresgid(0, 0, 0)
            os.setresuid(0, 0, 0)
            set_pdeathsig(signal.SIGKILL)
            birth = birth._replace(processes=place.bound())
        enter_joined(birth, joined, from_a, (place.placement.fd,))
        step = "make the namespaces"
        try:
            pid = place.clone(joined.new | CLONE_PARENT)
        except OSError as error:
            raise namespaces.refused(error) from None
        if pid == 0:
            from_a.send("cloned")
            init.live(birth, from_a)
        if place.bounds_processes:
            step = "map user and group ids"
            namespaces.write_map(pid, "uid", maps[0])
            namespaces.write_map(pid, "gid", maps[1])
    except FAILURES as error:
        from_a.send_error(error, step=step)
    finally:
        descriptors.leave_nothing()
        os._exit(0)
