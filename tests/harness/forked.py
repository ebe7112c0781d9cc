"""Run a closure in a forked child against the real kernel, and bring its result or error back.

Namespaces, capabilities and filters cannot be given back, so whatever changes them happens in a
child that dies with it.
"""

from __future__ import annotations

import os
import pickle
import select
import signal
import tempfile
import traceback
from collections.abc import Callable
from typing import TypeVar

from rootless.linux import namespace

T = TypeVar("T")

_RUNTIMES = tempfile.TemporaryDirectory(prefix="rl-forked-")
"""Where children in user namespaces of their own have their RUNTIME, each its own: nobody else would remove those."""


def forked(closure: Callable[[], T], *, timeout_s: float = 60) -> T:
    """What `closure` returns in a child of ours; what it raises is raised here, with the
    child's traceback as a note. Results and exceptions must be picklable."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        _report(writer, closure)
    os.close(writer)
    pidfd = os.pidfd_open(pid)
    chunks = []
    poll = select.poll()  # not select(), which knows 1,024 descriptors
    # The kernel looks in this order: whoever has ended when it is asked has written before.
    for fd in (pidfd, reader):
        poll.register(fd, select.POLLIN)
    try:
        while True:
            # Its end counts too: children that it left behind may keep the pipe open.
            ready = [fd for fd, _ in poll.poll(timeout_s * 1000)]
            if not ready:
                raise TimeoutError(f"the forked child said nothing for {timeout_s} s")
            if reader in ready and (chunk := os.read(reader, 65536)):
                chunks.append(chunk)
            else:
                break
    finally:
        os.close(reader)
        try:
            if not chunks:
                signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        except ProcessLookupError:
            pass
        os.close(pidfd)
        _, status = os.waitpid(pid, 0)
    if not chunks:
        raise ChildProcessError(f"the forked child died: wait status {status:#x}")
    value, error, story = pickle.loads(b"".join(chunks))
    if error is not None:
        error.add_note(f"in the forked child:\n{story}")
        raise error
    result: T = value
    return result


def _report(writer: int, closure: Callable[[], object]) -> None:
    message = b""
    try:
        message = pickle.dumps((closure(), None, ""))
    except BaseException as error:  # noqa: BLE001 - raised again in the parent
        story = traceback.format_exc()
        try:
            message = pickle.dumps((None, error, story))
        except (pickle.PicklingError, TypeError, AttributeError):
            message = pickle.dumps((None, RuntimeError(f"unpicklable: {error!r}"), story))
    finally:
        while message:
            message = message[os.write(writer, message) :]
        os._exit(0)


def become_root_of_own_namespace(flags: int = 0) -> None:
    """A user namespace with ourselves as its only id, and more namespaces by CLONE_NEW* flags."""
    uid, gid = os.getuid(), os.getgid()
    namespace.unshare(namespace.CLONE_NEWUSER | flags)
    for name, text in (("setgroups", "deny"), ("uid_map", f"0 {uid} 1"), ("gid_map", f"0 {gid} 1")):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)
    os.environ.setdefault("XDG_RUNTIME_DIR", _RUNTIMES.name)
