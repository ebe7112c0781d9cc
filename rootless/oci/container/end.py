"""The end of a container: all of it killed, and what is left removed. Hot path."""

from __future__ import annotations

import os
import select

from rootless.errors import RootlessError
from rootless.linux import signal
from rootless.linux.process import pidfd_open_checked
from rootless.oci import state
from rootless.oci.cgroup import cgroup
from rootless.oci.hooks import warn_hooks
from rootless.record import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

    from rootless.oci.state import Container

_KILL_TIMEOUT_S = 10


def end(container: Container) -> None:
    """SIGKILL to all of the container, and wait for its init to be dead."""
    if container.cgroup:
        from rootless.cgroup import cgroupfs

        cgroupfs.kill(container.cgroup)
    try:
        pidfd = pidfd_open_checked(container.pid, container.start_time)
    except ProcessLookupError:
        return
    try:
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        poll = select.poll()
        poll.register(pidfd, select.POLLIN)
        if not poll.poll(_KILL_TIMEOUT_S * 1000):
            raise RootlessError(
                f"container {container.id} does not end: its process {container.pid} is stuck"
            )
    except ProcessLookupError:
        pass
    finally:
        os.close(pidfd)


def forget(container: Container, spec: dict[str, Any]) -> None:
    """Remove what is left of a container whose init has ended."""
    cgroup.remove(container.cgroup, container.unit)
    state.remove(container.directory)
    warn_hooks(spec, "poststop", container.document(state.STOPPED))
