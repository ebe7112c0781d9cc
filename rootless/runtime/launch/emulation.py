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


def answer_for_ids(channel: Channel, run_dir: str, undo: Undo) -> int:
    """Start the program that answers for ids as our child, and give it the init's listener. Returns its pid."""
    pid = ids.start(monitor.listen(run_dir, ids.SOCKET))
    undo.add(lambda: os.kill(pid, signal.SIGKILL))
    message = channel.expect("ids")
    listener = listener_of(message)
    try:
        ids.hand_over(run_dir, listener, message.data["ids"])
    finally:
        os.close(listener)
    return pid
