"""Owners of files as the machine knows them, for who has joined the session: there root's files and a stranger's are nobody's alike.

Before it joins, a command that may use other people's stores leaves a process behind, outside, which answers by descriptor and
ends with whoever may ask it.
"""

from __future__ import annotations

import os

from rootless import paths
from rootless.linux import process, socket
from rootless.linux.struct import Struct

UNKNOWN = -1
_ANSWER = Struct("<q")
_asked: socket.socket | None = None


def may_be_asked() -> None:
    """Leave the process behind for who will ask in the session that this process has not joined yet."""
    if not paths.in_session():
        start()


def start() -> None:
    """Leave the process behind. The caller has not joined yet, and has one thread."""
    global _asked
    if _asked is not None:
        return
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    pid = os.fork()
    if pid == 0:
        try:
            if os.fork() == 0:  # nobody's child, least of all a command's zombie
                _serve(theirs.detach())
        finally:
            os._exit(0)
    theirs.close()
    os.waitpid(pid, 0)
    _asked = ours


def owner(fd: int) -> int:
    """The uid that the open file belongs to on the machine; UNKNOWN where nobody is outside who could say."""
    if not paths.in_session():
        return os.fstat(fd).st_uid
    if _asked is None:
        return UNKNOWN
    # An answer by a pipe of its own: several processes may ask by one socket.
    reading, writing = os.pipe()
    try:
        try:
            socket.send_fds(_asked, [b"?"], [fd, writing])
        finally:
            os.close(writing)
        answer = os.read(reading, _ANSWER.size)
    except OSError:
        return UNKNOWN  # it was killed
    finally:
        os.close(reading)
    return int(_ANSWER.unpack(answer)[0]) if len(answer) == _ANSWER.size else UNKNOWN


def _serve(asking: int) -> None:
    """In the process: answer until nobody is left to ask."""
    os.setsid()
    os.chdir("/")  # nobody is to wait for us who unmounts something
    os.dup2(asking, 0)
    process.close_range(1, 0xFFFFFFFF)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET, 0, 0) as end:
        while True:
            data, fds, _, _ = socket.recv_fds(end, 1, 2, socket.MSG_CMSG_CLOEXEC)
            if not data:
                return
            if len(fds) == 2:
                try:
                    os.write(fds[1], _ANSWER.pack(os.fstat(fds[0]).st_uid))
                except OSError:
                    pass  # a file server that is gone, or who asked is
            for fd in fds:
                os.close(fd)
