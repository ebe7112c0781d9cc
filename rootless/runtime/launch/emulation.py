"""Emulated ids at a launch: who answers for them gets to know the container's first process."""

from __future__ import annotations

import os

from rootless.linux import signal
from rootless.record import TYPE_CHECKING
from rootless.runtime import ids, monitor
from rootless.runtime.process.sealed_exec import listener_of

if TYPE_CHECKING:
    from rootless.runtime.sync import Channel
    from rootless.undo import Undo


def start_answering(container_dir: str, run_dir: str, cgroup: str, undo: Undo) -> int:
    """Start the program that answers for ids as our child, while the init still sets its container up; its pid.

    What it does is the container's doing, and is counted there: it goes into a cgroup inside the container's `cgroup`, ""
    for none. There it is in nobody's way who divides the container's; what freezes the one freezes the other."""
    leaf = f"{cgroup}/{ids.LEAF}" if cgroup else ""
    if leaf:
        os.makedirs(leaf, 0o755, exist_ok=True)
    pid = ids.start(monitor.listen(run_dir, ids.SOCKET), container_dir, leaf)
    undo.add(lambda: os.kill(pid, signal.SIGKILL))
    return pid


def answer(channel: Channel, run_dir: str) -> int:
    """Give the program the init's listener, which is returned, to be held: if the program is killed, what the container asks waits
    for its own end, instead of being no call of this kernel (ENOSYS)."""
    message = channel.expect("ids")
    listener = listener_of(message)
    ids.hand_over(run_dir, listener, message.data["ids"])
    return listener
