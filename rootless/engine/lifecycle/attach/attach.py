"""The client's side of the monitor's attach protocol (docs/development/architecture.md, Monitor).

Moves bytes between a connected descriptor and our own stdin, stdout and stderr; the terminal's
modes are `terminal.py`'s. Hot path.
"""

from __future__ import annotations

import os
import select

from rootless.engine.lifecycle.attach.terminal import DetachKeys
from rootless.errors import Conflict, NotSupported, RootlessError
from rootless.linux import socket, struct
from rootless.linux.socket import address_in, receive_packet
from rootless.record import TYPE_CHECKING, Record

if TYPE_CHECKING:
    from collections.abc import Callable

STDIN, STDIN_END, RESIZE, WILL_CLEAN, CLEANED = 0, 1, 2, 3, 4
STDOUT, STDERR, EXITED = 0x10, 0x11, 0x12
# A client that sends this removes the container at its end, and then calls report_cleaned().
PROMISE_CLEANUP = bytes([WILL_CLEAN])
# A client that sends this is told how the container ended, and nothing else.
ONLY_END = bytes([5])
PACKET_LIMIT = 32 * 1024 + 1
_READ_SIZE = 32 * 1024
# A monitor answers at once; one that is stopped or stuck does not keep a terminal's user waiting for ever.
_RESIZE_PATIENCE_S = 10.0


class Outcome(Record):
    """How an attachment ended: the wait status of PID 1, or None: detached or the monitor lost."""

    status: int | None
    detached: bool


def exit_code(status: int) -> int:
    """The exit code that a shell and Docker show for a wait status: 128+n for a signal. Any number has one, for
    a status may have been recorded by another program."""
    return os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + (status & 0x7F)


def connect(run_dir: str) -> socket.socket:
    """A connection to the monitor whose socket is `run_dir`/attach; Conflict where no monitor serves it."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_CLOEXEC)
    try:
        with address_in(run_dir, "attach") as address:
            connection.connect(address)
    except (FileNotFoundError, ConnectionRefusedError):
        connection.close()
        raise _not_running(run_dir) from None
    return connection


def _not_running(run_dir: str) -> Conflict:
    if not os.path.lexists(run_dir + "/attach"):
        return Conflict(
            f"the container's monitor cannot be reached: there is no {run_dir}/attach",
            hint="it does not run, or that was removed while it ran (a logout, a cleaner of /tmp): exec, logs "
            "and stop work, and after `rootless restart` attach does",
        )
    return Conflict(
        "the container's monitor does not answer: it is not running, or its monitor was killed",
        hint="`rootless ps -a` shows its state; `rootless start -a` starts it again",
    )


def resize(run_dir: str, rows: int, columns: int) -> None:
    """Tell the terminal of the monitor whose socket is `run_dir`/attach its size, in characters; it has it on return.

    On a connection of its own: one that carries input may be full, and would keep who resizes waiting. The monitor
    takes its packets in their order, and closes it when it has read the last. Conflict where no monitor serves it.
    """
    with connect(run_dir) as connection:
        for packet in (ONLY_END, struct.pack("=BHH", RESIZE, rows, columns)):
            send(connection, packet)
        connection.shutdown(socket.SHUT_WR)
        connection.settimeout(_RESIZE_PATIENCE_S)
        try:
            while receive(connection):
                pass
        except TimeoutError:
            raise Conflict(
                "the container's monitor does not answer: it is stopped, or the machine is overloaded",
                hint="the size is set when it goes on; one that was stopped goes on with kill -CONT",
            ) from None


def report_cleaned(connection: socket.socket) -> None:
    """Tell the monitor that the container is removed."""
    send(connection, bytes([CLEANED]))


def send(connection: socket.socket, packet: bytes) -> None:
    """Send a packet to the monitor, waiting until it takes it; nothing where it has ended: its last words are still to be read."""
    try:
        connection.send(packet)
    except (BrokenPipeError, ConnectionResetError):
        pass


def receive(connection: socket.socket) -> bytes:
    """The monitor's next packet, or b"" where it has ended and all its words are read."""
    return receive_packet(connection, PACKET_LIMIT)


class Outbox:
    """Packets to the monitor, sent as it takes them, in their order.

    Who sends has to go on receiving meanwhile: the monitor takes no input while the container takes none, the container
    none while nobody takes its output. While `waiting`, poll the connection for POLLOUT, too, then flush(), and read no
    more input.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._packets: list[bytes] = []

    @property
    def waiting(self) -> bool:
        """Whether there are packets that the monitor has not taken."""
        return bool(self._packets)

    def send(self, packet: bytes) -> None:
        """Send it, now or later. Nothing where the monitor has ended: its last words are still to be read."""
        self._packets.append(packet)
        self.flush()

    def flush(self) -> None:
        """Send what is taken without waiting."""
        try:
            while self._packets:
                self._connection.send(self._packets[0], socket.MSG_DONTWAIT)
                del self._packets[0]
        except BlockingIOError:
            pass
        except (BrokenPipeError, ConnectionResetError):
            self._packets.clear()


def relay(
    connection: socket.socket,
    *,
    stdin: int | None,
    detach_keys: DetachKeys | None,
    signals: int | None = None,
    on_signals: Callable[[bytes], object] | None = None,
    stdout: int = 1,
    stderr: int = 2,
) -> Outcome:
    """Copy until the container ends, the monitor is lost, or the user types the detach keys.

    `stdin` is a descriptor to read for the container, or None. `signals` is a descriptor that becomes
    readable when a signal arrived (signal.set_wakeup_fd); `on_signals` takes the bytes read from it, and
    then acts on them. Output that nobody reads any more (a closed pipe) raises BrokenPipeError.
    """
    poller, outbox, paused = select.poll(), Outbox(connection), False
    for source in (connection.fileno(), stdin, signals):
        if source is not None:
            poller.register(source, select.POLLIN)
    while True:
        for fd, events in poller.poll():
            if fd == signals and on_signals is not None:
                on_signals(os.read(fd, 64))
            elif fd == stdin and not outbox.waiting:
                if not _feed(outbox, fd, detach_keys):
                    poller.unregister(fd)
                    stdin = None
            elif fd == connection.fileno():
                if events & select.POLLOUT:
                    outbox.flush()
                outcome = _receive(connection, stdout, stderr) if events & ~select.POLLOUT else None
                if outcome is not None:
                    return outcome
        if detach_keys is not None and detach_keys.matched and not outbox.waiting:
            return Outcome(None, detached=True)
        if outbox.waiting != paused:
            paused = outbox.waiting
            poller.modify(connection.fileno(), select.POLLIN | (select.POLLOUT if paused else 0))
            if stdin is not None:
                (poller.unregister(stdin) if paused else poller.register(stdin, select.POLLIN))


def _receive(connection: socket.socket, stdout: int, stderr: int) -> Outcome | None:
    """Write a packet's output; the Outcome where it says that the container has ended, or the monitor is lost."""
    packet = receive(connection)
    if not packet or (packet[0] == EXITED and len(packet) < 5):
        return Outcome(None, detached=False)
    if packet[0] == EXITED:
        return Outcome(struct.unpack_from("=i", packet, 1)[0], detached=False)
    write_all(stderr if packet[0] == STDERR else stdout, packet[1:])
    return None


def _feed(outbox: Outbox, stdin: int, detach_keys: DetachKeys | None) -> bool:
    """Pass on what can be read from `stdin`; False when that was the last."""
    try:
        data = os.read(stdin, _READ_SIZE)
    except OSError:  # EIO: the terminal is gone, or we are in its background
        data = b""
    if not data:
        outbox.send(bytes([STDIN_END]))
        return False
    if detach_keys is not None:
        data = detach_keys.feed(data)
    if data:
        outbox.send(bytes([STDIN]) + data)
    return not (detach_keys is not None and detach_keys.matched)


def write_all(fd: int, data: bytes) -> None:
    """Write all of `data`, also to a descriptor that another process made non-blocking. BrokenPipeError where
    nobody reads it any more; RootlessError, exit code 1, where it cannot be written: the disk that is full is
    then the caller's and not the store's."""
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(fd, view) :]
        except BlockingIOError:
            select.select([], [fd], [])
        except BrokenPipeError:
            raise
        except OSError as error:
            failure = RootlessError(f"cannot write the output: {error.strerror}")
            failure.exit_code = 1
            raise failure from None


def require_terminal(fd: int) -> None:
    """Refuse -t together with an input that is no terminal, in Docker's words."""
    if not os.isatty(fd):
        raise NotSupported(
            "the input device is not a TTY", hint="leave -t out when the input is a pipe or a file"
        )
