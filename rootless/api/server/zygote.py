"""The zygote: the engine imported and nothing done with it. Every worker is a fork of it.

One thread, and it never joins the session: a worker that needs to be in it joins by itself, since that cannot be
undone. It reads no byte of a client's.
"""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Callable
from typing import TYPE_CHECKING, NoReturn

from rootless.api.server import wire

if TYPE_CHECKING:
    import socket


def start(forget: Callable[[], None]) -> socket.socket:
    """Fork the zygote; our end of the wire to it. It ends when that is closed. `forget` closes there what is not for it."""
    ours, theirs = wire.pair()
    if os.fork() == 0:
        ours.close()
        try:
            forget()
            _run(theirs)
        finally:
            os._exit(1)
    theirs.close()
    return ours


def _run(requests: socket.socket) -> NoReturn:
    from rootless.api.server import pool, worker

    os.setsid()  # what is typed at the terminal of the front is not for what it started
    os.chdir("/")
    null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    os.dup2(null, 0)
    os.dup2(null, 1)  # nothing of ours writes there, and what the engine prints is for nobody
    os.close(null)
    worker.prepare()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel takes ended workers away
    gc.collect()
    gc.freeze()
    pool.Pool(requests, worker.run).serve()
    os._exit(0)
