"""`rootless system service`: the socket, the zygote behind it and the front before it, until the service is idle or ended."""

from __future__ import annotations

from rootless.api import own_socket
from rootless.api.server import front, listener, zygote
from rootless.api.server.ends import Ends
from rootless.api.server.front import WORKERS, Settings
from rootless.errors import Unavailable

__all__ = ["WORKERS", "default_path", "run"]

default_path = listener.default_path


def run(path: str, *, idle_s: float, workers: int = WORKERS) -> None:
    """Serve on `path` ("": the default, and the one that clients look for), or on the socket that systemd handed over.

    Returns when it was told to end or was idle for `idle_s` (0: never). Unavailable where a process of it was lost.
    Containers have their own monitors: nothing of them ends with the service.
    """
    ends = Ends()  # before anybody can connect, and so knows that we are there
    handed = listener.activated()
    if handed is not None:
        where = handed
    else:
        where = listener.bind(path or default_path())
        if not path:
            listener.link_well_known(where)
    own_socket.is_at(where.sock.getsockname() if handed else where.path)

    def forget() -> None:
        where.sock.close()
        ends.forget()

    try:
        wire = zygote.start(forget)
    except BaseException:
        where.close()
        raise
    listener.allow_many_connections()
    if not front.Front(where, wire, ends, Settings(idle_s, workers)).run():
        raise Unavailable("the service has lost the process that answers requests", hint="start it again")
