"""What of an agent a build may use: which keys there are, and signatures by them (draft-ietf-sshm-ssh-agent).

Adding and removing keys, locking and extensions are refused, as BuildKit refuses them: the Dockerfile is a stranger's,
and the agent the caller's. A forked process serves a socket until who started it is done, or dead.
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn, Protocol

from rootless import errors, inherited, jsontext
from rootless.build.ssh.keys import Key, string
from rootless.errors import FAILURES, NotSupported
from rootless.linux import process
from rootless.linux.openat2 import open_without_links
from rootless.linux.socket import address_in
from rootless.runtime.descriptors import keep_only
from rootless.runtime.mounts import owners
from rootless.storage import named_paths

FAILURE, REQUEST_IDENTITIES, IDENTITIES_ANSWER, SIGN_REQUEST, SIGN_RESPONSE = 5, 11, 12, 13, 14
_ALLOWED = (REQUEST_IDENTITIES, SIGN_REQUEST)
_READY = b"+"
_LARGEST = 256 * 1024  # OpenSSH's bound
# More clients at once wait until others have gone.
_MOST_CLIENTS = 64


class Agent(Protocol):
    """Of one connection. A message is its type, a byte, and what that needs."""

    def ask(self, message: bytes) -> bytes: ...
    def close(self) -> None: ...


class KeyAgent:
    """One for keys of our own."""

    def __init__(self, keys: list[Key]) -> None:
        self._keys = keys

    def ask(self, message: bytes) -> bytes:
        if message[0] == REQUEST_IDENTITIES:
            listed = b"".join(string(key.blob) + string(b"") for key in self._keys)
            return bytes([IDENTITIES_ANSWER]) + struct.pack(">I", len(self._keys)) + listed
        blob, rest = _take(message[1:])
        data, rest = _take(rest)
        (flags,) = struct.unpack(">I", rest)
        for key in self._keys:
            if key.blob == blob and (signature := key.sign(data, flags)):
                return bytes([SIGN_RESPONSE]) + string(signature)
        return bytes([FAILURE])

    def close(self) -> None:
        pass


class ForwardedAgent:
    """The agent that serves a socket, open by O_PATH."""

    def __init__(self, place: int) -> None:
        self._connection = socket.socket(socket.AF_UNIX)
        self._connection.connect(f"/proc/self/fd/{place}")

    def ask(self, message: bytes) -> bytes:
        self._connection.sendall(string(message))
        return _receive(self._connection)

    def close(self) -> None:
        self._connection.close()


def forwarding(path: str) -> Callable[[], Agent]:
    """What connects to the agent that serves the socket `path`, which the caller named."""
    what = "the agent's socket"
    try:
        exact = named_paths.follow(path, what)
        place = os.open(path, os.O_PATH | os.O_CLOEXEC) if exact is None else open_without_links(exact)
    except OSError as error:
        raise named_paths.failure(path, error, f"cannot use {what}") from None
    return lambda: ForwardedAgent(place)


@contextmanager
def served(
    directory: str, connect: Callable[[], Callable[[], Agent]], *, mode: int = 0o600, uid: int = -1, gid: int = -1
) -> Iterator[str]:
    """The path of a socket in `directory`, private and ours, that is answered until the context is left.

    `connect` is called once in the process that answers, for what is then called for each connection; what it raises
    is raised here. The caller is single-threaded and has joined the session.
    """
    path = f"{directory}/agent"
    with socket.socket(socket.AF_UNIX) as listener:
        with address_in(directory, "agent") as address:
            listener.bind(address)
        try:
            os.chmod(path, mode)
            try:
                os.chown(path, uid, gid)
            except OSError as error:
                if error.errno != errno.EINVAL or not owners.one_id():
                    raise
                # A socket cannot say whose it is. For the kernel all users of the RUN are one; emulated ones are let in as others.
                os.chmod(path, mode | mode >> 3 & 0o070 | mode >> 6 & 0o007)
        except OSError as error:
            raise NotSupported(
                f"the agent's socket cannot be {uid}:{gid}'s: {error.strerror}",
                hint="that user has no id on this machine: /etc/subuid and /etc/subgid say which there are",
            ) from None
        listener.listen(16)
        pid, answer = _start(listener, connect)
    try:
        with os.fdopen(answer, "rb") as file:
            said = file.read()
        if said != _READY:
            errors.raise_data(jsontext.loads(said or b'{"message": "the process of an ssh agent ended unexpectedly"}'))
        yield path
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def _start(listener: socket.socket, connect: Callable[[], Callable[[], Agent]]) -> tuple[int, int]:
    """The process that serves, and a pipe on which it says that it does, or what is wrong."""
    reading, writing = os.pipe2(os.O_CLOEXEC)
    parent = os.getpid()
    pid = os.fork()
    if pid:
        os.close(writing)
        return pid, reading
    try:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        process.set_pdeathsig(signal.SIGKILL)
        process.set_dumpable(False)
        if os.getppid() == parent:
            _serve(_only(listener.fileno(), writing), connect)
    finally:
        os._exit(1)


def _only(listener: int, answer: int) -> tuple[int, int]:
    """The two descriptors, under other numbers; all others are closed: pipes and locks of the build."""
    inherited.leave_streams()
    keep_only((listener, answer))
    return listener, answer


def _serve(fds: tuple[int, int], connect: Callable[[], Callable[[], Agent]]) -> NoReturn:
    listener, answer = socket.socket(fileno=fds[0]), fds[1]
    try:
        agent = connect()
    except FAILURES as error:
        os.write(answer, jsontext.dumps(errors.to_data(error)).encode())
        os._exit(1)
    os.write(answer, _READY)
    os.close(answer)
    free = threading.BoundedSemaphore(_MOST_CLIENTS)
    while True:
        free.acquire()
        connection, _ = listener.accept()
        threading.Thread(target=_converse, args=(connection, agent, free), daemon=True).start()


def _converse(connection: socket.socket, connect: Callable[[], Agent], free: threading.BoundedSemaphore) -> None:
    try:
        # What a client gets wrong, and an agent that does not answer, ends the conversation.
        with connection, contextlib.suppress(OSError, ValueError, struct.error), contextlib.closing(connect()) as agent:
            while message := _receive(connection):
                connection.sendall(string(agent.ask(message) if message[0] in _ALLOWED else bytes([FAILURE])))
    finally:
        free.release()


def _receive(connection: socket.socket) -> bytes:
    """A message; b"" at the end. ValueError for one that is too long."""
    head = _exactly(connection, 4)
    if not head:
        return b""
    (length,) = struct.unpack(">I", head)
    if not 0 < length <= _LARGEST:
        raise ValueError("a message of a length that none has")
    return _exactly(connection, length)


def _exactly(connection: socket.socket, size: int) -> bytes:
    """So many bytes, or b"" where the other side has ended."""
    data = bytearray()
    while len(data) < size:
        more = connection.recv(size - len(data))
        if not more:
            return b""
        data += more
    return bytes(data)


def _take(data: bytes) -> tuple[bytes, bytes]:
    (length,) = struct.unpack_from(">I", data)
    if len(data) - 4 < length:
        raise ValueError("a string that is cut short")
    return data[4 : 4 + length], data[4 + length :]
