"""A monitor and its clients, driven as the launcher and the command line drive them."""

from __future__ import annotations

import fcntl
import json
import os
import select
import signal
import socket
import struct
import termios
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

PAYLOAD = 32768
STDIN, STDIN_END, RESIZE, WILL_CLEAN, CLEANED = range(5)
STDOUT, STDERR, EXITED = 0x10, 0x11, 0x12


class Client:
    """One attached client: what it received, by type."""

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        connection.settimeout(60)
        self.stdout = b""
        self.stderr = b""
        self.status: int | None = None

    def send(self, kind: int, payload: bytes = b"") -> None:
        self.socket.send(bytes([kind]) + payload)

    def receive(self) -> bool:
        """One message into stdout, stderr or status; False at the end of the connection."""
        packet = self.socket.recv(PAYLOAD + 1)
        if not packet:
            return False
        kind, payload = packet[0], packet[1:]
        if kind == STDOUT:
            self.stdout += payload
        elif kind == STDERR:
            self.stderr += payload
        else:
            assert kind == EXITED
            assert self.status is None
            (self.status,) = struct.unpack("=i", payload)
        return True

    def until(self, done: Callable[[Client], bool]) -> Client:
        while not done(self):
            assert self.receive(), f"ended early: {self.stdout!r} {self.stderr!r} {self.status}"
        return self

    def finish(self) -> Client:
        """Up to and with the exit message."""
        return self.until(lambda client: client.status is not None)

    def close(self) -> None:
        self.socket.close()


class Monitor:
    """A monitor and its child, started as the launcher starts them."""

    def __init__(self, program: Path, directory: Path) -> None:
        self.program = program
        self.dir = directory
        self.dir.mkdir(exist_ok=True)
        self.socket_path = str(directory / "attach")
        self.pid = 0
        self.child = 0
        self.child_pidfd = -1
        self.clients: list[Client] = []
        self.client: Client | None = None

    def start(
        self,
        *argv: str,
        terminal: bool = False,
        client: bool = False,
        stdin: bool = True,
        log: bool = True,
        options: tuple[str, ...] = (),
        cleanup: tuple[str, ...] = (),
        fallback: Path | None = None,
        delay_s: float = 0,
    ) -> Monitor:
        """Forks a process that forks argv and execs the monitor, as the engine does."""
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        listening.bind(self.socket_path)
        listening.listen(16)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET) if client else (None, None)
        told, tell = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                os.setsid()
                os.close(told)
                self._become(
                    argv, terminal, stdin, log, options, cleanup, fallback, delay_s, listening, theirs, tell
                )
            except OSError:
                traceback.print_exc()
            finally:
                os._exit(99)
        os.close(tell)
        listening.close()
        if theirs is not None and ours is not None:
            theirs.close()
            self.client = Client(ours)
            self.clients.append(self.client)
        self.child = int(os.read(told, 20))
        try:
            self.child_pidfd = os.pidfd_open(self.child)
        except ProcessLookupError:
            self.child_pidfd = -1
        os.close(told)
        return self

    def _become(
        self,
        argv: tuple[str, ...],
        terminal: bool,
        stdin: bool,
        log: bool,
        options: tuple[str, ...],
        cleanup: tuple[str, ...],
        fallback: Path | None,
        delay_s: float,
        listening: socket.socket,
        client: socket.socket | None,
        tell: int,
    ) -> None:
        keep = [listening.fileno(), os.open(self.dir, os.O_RDONLY | os.O_DIRECTORY)]
        words = [str(self.program), "--dir", str(keep[1]), "--socket", str(keep[0])]
        if terminal:
            master, slave = os.openpty()
            child_stdio = [slave, slave, slave]
            keep += [master]
            words += ["--terminal", str(master)]
        else:
            pipes = [os.pipe() for _ in range(3)]
            child_stdio = [pipes[0][0], pipes[1][1], pipes[2][1]]
            mine = [pipes[0][1], pipes[1][0], pipes[2][0]]
            for name, fd in zip(("--stdin", "--stdout", "--stderr"), mine, strict=True):
                if stdin or name != "--stdin":
                    words += [name, str(fd)]
                    keep.append(fd)
            if not stdin:
                os.close(pipes[0][1])
        pid = os.fork()
        if pid == 0:
            os.setsid()
            for number, fd in enumerate(child_stdio):
                os.dup2(fd, number)
            os.closerange(3, os.sysconf("SC_OPEN_MAX"))  # what is passed is the monitor's alone
            if terminal:
                fcntl.ioctl(0, termios.TIOCSCTTY, 0)
            for number in range(1, signal.NSIG):
                if number not in (signal.SIGKILL, signal.SIGSTOP, 32, 33):
                    signal.signal(number, signal.SIG_DFL)
            os.execvp(argv[0], argv)
        for fd in set(child_stdio):
            os.close(fd)
        os.write(tell, str(pid).encode())
        os.close(tell)
        words += ["--pid", str(pid), "--start-time", "4711"]
        if log:
            words += ["--log", "container.log"]
        if fallback is not None:
            keep.append(os.open(fallback, os.O_RDONLY | os.O_DIRECTORY))
            words += ["--fallback-dir", str(keep[-1])]
        if client is not None:
            keep.append(client.fileno())
            words += ["--client", str(keep[-1])]
        for fd in keep:
            os.set_inheritable(fd, True)
        time.sleep(delay_s)
        words += options
        if cleanup:
            words += ["--", *cleanup]
        os.execv(words[0], words)

    def attach(self) -> Client:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        connection.connect(self.socket_path)
        client = Client(connection)
        self.clients.append(client)
        return client

    def wait(self, timeout_s: float = 60) -> int:
        """The monitor's own wait status."""
        pidfd = os.pidfd_open(self.pid)
        try:
            assert select.select([pidfd], [], [], timeout_s)[0], "the monitor does not end"
        finally:
            os.close(pidfd)
        status = os.waitpid(self.pid, 0)[1]
        self.pid = 0
        return status

    def exit_json(self, directory: Path | None = None) -> dict[str, Any]:
        record: dict[str, Any] = json.loads(((directory or self.dir) / "exit.json").read_text())
        return record

    def log(self, name: str = "container.log") -> list[tuple[str, str, str]]:
        """(stream, tag, text) of each record."""
        lines = (self.dir / name).read_text().splitlines()
        return [tuple(line.split(" ", 3)[1:]) for line in lines]  # type: ignore[misc]

    def stop(self) -> None:
        for client in self.clients:
            client.close()
        if self.child_pidfd >= 0:
            try:
                signal.pidfd_send_signal(self.child_pidfd, signal.SIGKILL)
            except ProcessLookupError:
                pass
            os.close(self.child_pidfd)
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)


def eventually(condition: Callable[[], Any], *, within_s: float = 60) -> Any:
    """The condition's first true value; fails after the time."""
    deadline = time.monotonic() + within_s
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, "did not come true"
        time.sleep(0.01)


def descriptors(pid: int) -> dict[int, str]:
    found = {}
    for name in os.listdir(f"/proc/{pid}/fd"):
        try:
            found[int(name)] = os.readlink(f"/proc/{pid}/fd/{name}")
        except FileNotFoundError:  # closed meanwhile
            pass
    return found


def has_sockets(pid: int, count: int) -> bool:
    """Whether the process has as many: its listening one, and one for each client it has accepted."""
    return sum("socket:" in target for target in descriptors(pid).values()) >= count


def own_memory(pid: int) -> int:
    """KiB that a process has to itself. Not Private_Dirty: that counts a program's file until it is on the disk."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(rollup.split("\nAnonymous:")[1].split()[0])


def cpu_ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


def finish_together(clients: list[Client]) -> None:
    """All up to the exit message, in turns: the slowest sets the pace."""
    pending = list(clients)
    while pending:
        for client in list(pending):
            client.receive()
            if client.status is not None:
                pending.remove(client)


def joined(records: list[tuple[str, str, str]]) -> list[tuple[str, str, str]]:
    """P records put together with the F record that ends them, as a reader of the log does."""
    lines: list[tuple[str, str, str]] = []
    rest: dict[str, str] = {}
    for stream, tag, text in records:
        rest[stream] = rest.get(stream, "") + text
        if tag == "F":
            lines.append((stream, tag, rest.pop(stream)))
    return lines + [(stream, "P", text) for stream, text in rest.items()]
