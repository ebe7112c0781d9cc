"""Messages between the processes of a launch, one per packet; errors travel as data.

    supervisor -> init      mapped                       your user namespace has its ids
    supervisor -> init      rootfs [mount]               a FUSE root, whose daemon the supervisor started: attach it
    supervisor -> init      start                        the network is up, the state recorded: run
    init -> supervisor      cloned                       first of all, where an intermediate cloned it: the kernel adds its pid
    init -> supervisor      namespaces [user, network]   of an undumpable init, whose namespaces nobody else can open
    init -> supervisor      ready [terminal]             all is mounted; with a terminal its master comes along
    init -> supervisor      executing                    all but executed; then:
    init -> supervisor      ids {ids} [listener]         where ids are emulated: what the command begins with, and who asks for them
    init -> supervisor      seccomp [listener]           of a filter that notifies
    init -> supervisor      refused {errno}              by helpers/exec.c: the command could not be executed
    supervisor -> CLI       launched {...}
    exec process -> caller  cloned, terminal [master], became {uid ...}, seccomp [listener], refused {errno}
    any of them, up         error {kind, message, hint, errno, step}

For rootless-oci `create` and `run` are the supervisor, and between the init's hooks and around its wait for `start`
there are also: mounted and waiting (by the init), hooked {pid} and created (by the supervisor). `exec` asks an init
that waits for `start` to join it, and gets its namespaces, a message each.

End of file is a message too: from an init that it has executed its command, from a supervisor that it is the monitor.

A channel's other end may change hands: what is there once helpers/exec.c runs can be traced by the container, which
then sends what it likes. So a receiver names the kinds that may come at this point; a message's form is checked,
its descriptors are counted, and everything else is an error that costs the sender's container its command and us
nothing. No message identifies a process: the kernel does (SCM_CREDENTIALS, unix(7)), with the first message, which
is sent by our own code. docs/development/decisions/what-a-container-says.md. Hot path.
"""

from __future__ import annotations

import os

from rootless import jsontext
from rootless.errors import FROM_DATA, RootlessError, raise_data, to_data
from rootless.linux import socket, struct
from rootless.record import TYPE_CHECKING, Record

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Literal, NoReturn

    # Checked where a message is sent and where it is received.
    ToInit = Literal["mapped", "rootfs", "start", "hooked", "created", "join"]
    FromInit = Literal["cloned", "namespaces", "ready", "executing", "ids", "seccomp", "refused", "mounted", "waiting", "namespace"]
    FromOthers = Literal["terminal", "became", "launched", "executed", "done"]
    Kind = ToInit | FromInit | FromOthers

_LARGEST_BYTES = 1 << 16
_MOST_FDS = 4
_ROOM = socket.CMSG_SPACE(4 * _MOST_FDS) + socket.CMSG_SPACE(12)
_LONGEST_TEXT = 2000
"""Characters of an error's message and of its hint: escaped, both fit a packet."""
PROCESS = {"pid": int, "start_time": int, "monitor_pid": int, "monitor_start_time": int}
_FORMS: dict[str, tuple[dict[str, type] | None, int, int]] = {
    # the fields (None: any) with their types, the fewest and the most descriptors
    "mapped": ({}, 0, 0),
    "rootfs": ({}, 1, 1),
    "cloned": ({}, 0, 0),
    "namespaces": ({}, 2, 2),
    "ready": ({}, 0, 1),
    "start": ({}, 0, 0),
    "terminal": ({}, 1, 1),
    "executing": ({}, 0, 0),
    "ids": ({"ids": list}, 1, 1),
    "seccomp": ({}, 1, 1),
    "refused": ({"errno": int}, 0, 0),
    "launched": ({**PROCESS, "network": dict}, 0, 0),
    # rootless-oci's: between its hooks, and around the wait for `start`
    "mounted": ({}, 0, 0),
    "hooked": ({"pid": int}, 0, 0),
    "created": ({}, 0, 0),
    "waiting": ({}, 0, 0),
    "join": ({}, 0, 0),
    "namespace": ({"type": str}, 1, 1),
    # an exec process to who asked how it came in
    "became": ({"uid": int, "gid": int, "groups": list, "home": str, "keeps_groups": bool, "files": list}, 0, 0),
    # a child of ours, in the session only (rootfs.py)
    "done": (None, 0, _MOST_FDS),
    # a detached exec's parent, which becomes its monitor (engine/lifecycle/exec.py)
    "executed": ({}, 0, 0),
}


class Tampered(RootlessError):
    """A message that no process of ours sends: what its sender does now is unknown, even whether it has ended."""


class Message(Record):
    """One packet, of a form that its kind has. `fds` are the receiver's to close."""

    kind: str
    data: dict[str, Any]
    fds: list[int]


class Channel:
    """One end of a pair; owns its socket."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._late: Callable[[], object] | None = None

    def fileno(self) -> int:
        """The socket's descriptor, for poll(2)."""
        return self._socket.fileno()

    def close(self) -> None:
        """Close this end; the other sees an end of file."""
        self._socket.close()

    def send(self, kind: Kind | Literal["error"], data: dict[str, Any] | None = None, fds: tuple[int, ...] = ()) -> None:
        """Send one message; BrokenPipeError when the other end is gone, RootlessError where it is more than the
        other end would take."""
        packet = jsontext.dumps([kind, data or {}]).encode()
        if len(packet) > _LARGEST_BYTES:
            raise RootlessError(f"a message of a process of the launch ({kind!r}) is too long: {len(packet)} bytes")
        if fds:
            socket.send_fds(self._socket, [packet], list(fds), socket.MSG_NOSIGNAL)
        else:
            self._socket.send(packet, socket.MSG_NOSIGNAL)

    def send_error(self, error: BaseException, *, step: str) -> None:
        """Send the error as data; silent when the other end is gone. Where a filter that is loaded forbids that,
        the error is written to stderr."""
        data = to_data(error, step=step)
        for name, text in data.items():
            if isinstance(text, str) and len(text) > _LONGEST_TEXT:
                data[name] = text[: _LONGEST_TEXT - 3] + "..."
        try:
            self.send("error", data)
        except (BrokenPipeError, ConnectionResetError):
            pass
        except OSError:
            os.write(2, f"rootless: {step}: {error}\n".encode(errors="replace"))

    def tell_if_late(self, seconds: int, tell: Callable[[], object]) -> None:
        """Have `tell` called, once, where one of the next messages takes longer than that; it is waited for all the same."""
        self._late = tell
        self._limit(seconds)

    def _limit(self, seconds: int) -> None:
        # A timeout of the kernel's, not settimeout(): that one makes all else non-blocking, too.
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", seconds, 0))

    def expect_cloned(self) -> int:
        """The pid, as our pid namespace has it, of the sender of "cloned", which must be the next message: the process
        that was just cloned sends it before anything else. Only of a `pair` made for it."""
        message, pid = self._receive(("cloned",))
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 0)
        if message is None:
            raise RootlessError("a process of the launch was killed (waiting for 'cloned')")
        return pid

    def receive(self, *kinds: Kind) -> Message | None:
        """The next message, which is one of `kinds`; None at the end. An error sent from the other side is
        raised here, and RootlessError for whatever else comes: its descriptors are closed."""
        return self._receive(kinds)[0]

    def _receive(self, kinds: tuple[Kind, ...]) -> tuple[Message | None, int]:
        try:
            packet, ancillary, flags, _ = self._socket.recvmsg(_LARGEST_BYTES, _ROOM, socket.MSG_CMSG_CLOEXEC)
        except ConnectionResetError:  # it ended with a message of ours unread: what it said before comes now
            packet, ancillary, flags, _ = self._socket.recvmsg(_LARGEST_BYTES, _ROOM, socket.MSG_CMSG_CLOEXEC)
        except BlockingIOError:
            if self._late is None:
                raise
            late, self._late = self._late, None
            self._limit(0)
            late()
            return self._receive(kinds)
        fds: list[int] = []
        pid = 0
        for _, kind, packed in ancillary:
            if kind == socket.SCM_RIGHTS:
                fds += struct.unpack(f"{len(packed) // 4}i", packed)
            elif kind == socket.SCM_CREDENTIALS:
                pid = struct.unpack("iII", packed)[0]
        if not packet and not fds:
            return None, 0
        try:
            if flags & socket.MSG_CTRUNC:
                raise RootlessError(
                    "a descriptor of a new process could not be taken",
                    hint="this process has too many files open: see `ulimit -n`",
                )
            message = _read(packet, fds, kinds)
        except BaseException:
            for fd in fds:
                os.close(fd)
            raise
        return message, pid

    def expect(self, *kinds: Kind) -> Message:
        """The next message, as `receive`; an end of file is an error."""
        message = self.receive(*kinds)
        if message is None:
            raise RootlessError(f"a process of the launch was killed (waiting for {kinds[0]!r})")
        return message


def _read(packet: bytes, fds: list[int], kinds: tuple[str, ...]) -> Message:
    try:
        kind, data = jsontext.loads(packet)
    except FROM_DATA:
        kind = data = None
    if type(kind) is not str or type(data) is not dict:
        raise _tampered("what it sent is no message")
    if kind == "error" and not fds:
        _raise_sent(data)
    if kind not in kinds:
        sent = repr(kind) if kind in _FORMS else "something"
        raise _tampered(f"it sent {sent}, not {' or '.join(map(repr, kinds)) or 'nothing'}")
    fields, fewest, most = _FORMS[kind]
    if not fewest <= len(fds) <= most or (fields is not None and not _fits(data, fields)):
        raise _tampered(f"its {kind!r} has another form")
    return Message(kind, data, fds)


def _fits(data: dict[str, Any], fields: dict[str, type]) -> bool:
    """Whether it has these fields and no other; numbers are those of a kernel: not negative, 64 bits."""
    return data.keys() == fields.keys() and all(
        type(data[name]) is kind and (kind is not int or 0 <= data[name] < 1 << 63)
        for name, kind in fields.items()
    )


def _raise_sent(data: dict[str, Any]) -> NoReturn:
    kind, message, hint = data.get("kind"), data.get("message"), data.get("hint")
    if type(kind) is not str or type(message) is not str or (hint is not None and type(hint) is not str):
        raise _tampered("its error has another form")
    number = data.get("errno")
    raise_data({
        "kind": kind, "message": _text(message), "hint": None if hint is None else _text(hint),
        "errno": number if type(number) is int else None,
    })  # fmt: skip


def _text(text: str) -> str:
    """The text, no longer than anybody reads, and without half characters."""
    return text[:_LONGEST_TEXT].encode("utf-8", "backslashreplace").decode()


def _tampered(how: str) -> Tampered:
    return Tampered(f"a process of the launch was tampered with: {how}")


def pair(*, cloned: bool = False) -> tuple[Channel, Channel]:
    """Two connected channels, close-on-exec; with `cloned`, the first can `expect_cloned`."""
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    if cloned:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
    return Channel(one), Channel(other)
