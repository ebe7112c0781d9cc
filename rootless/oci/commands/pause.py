"""`pause`: halt all processes of a container."""

from __future__ import annotations

from rootless.cgroup import cgroupfs
from rootless.errors import Conflict
from rootless.oci import state
from rootless.oci.commands.flags import root_of
from rootless.record import TYPE_CHECKING

if TYPE_CHECKING:
    from rootless.oci.arguments import Arguments


def command(args: Arguments) -> int:
    """Freeze the container's cgroup."""
    return freeze(args, frozen=True)


def freeze(args: Arguments, *, frozen: bool) -> int:
    """Freeze the container's cgroup, or thaw it."""
    verb, wanted = ("pause", state.RUNNING) if frozen else ("resume", state.PAUSED)
    with state.Held(root_of(args), args.words[0]) as container:
        found = container.status()
        if found not in (wanted, state.CREATED if frozen else wanted):
            raise Conflict(f"cannot {verb} container {container.id}: it is {found}")
        if not container.cgroup or not cgroupfs.can_freeze(container.cgroup):
            raise state.no_cgroup(f"cannot {verb} container {container.id}")
        cgroupfs.freeze(container.cgroup, frozen=frozen)
    return 0
