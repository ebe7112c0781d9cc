"""The log in systemd's journal, as a journal receives it; and the buffer that keeps a slow log from holding a
container back."""

from __future__ import annotations

import array
import fcntl
import os
import select
import signal
import socket
import struct
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from rootless.engine.state.logs.journal import encode
from tests.harness import processes
from tests.native.monitored import Monitor, descriptors, eventually

SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE


def decode(data: bytes) -> dict[str, bytes]:
    """An entry of the native protocol."""
    found = {}
    while data:
        line, _, data = data.partition(b"\n")
        name, equals, value = line.partition(b"=")
        if not equals:
            (size,) = struct.unpack_from("<Q", data)
            value, data = data[8 : 8 + size], data[8 + size + 1 :]
        found[name.decode()] = value
    return found


class Journal:
    """A journal's socket."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.socket = self._bind()
        self.sealed = 0

    def _bind(self) -> socket.socket:
        made = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        made.bind(str(self.path))
        made.settimeout(60)
        return made

    def start_anew(self) -> None:
        self.socket.close()
        self.path.unlink()
        self.socket = self._bind()

    def options(self, *fields: str) -> tuple[str, ...]:
        """Of a monitor that is to write to it."""
        sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        sender.connect(str(self.path))
        self.sender = sender
        sender.set_inheritable(True)
        file = os.memfd_create("fields")
        os.write(file, b"".join(map(encode, fields)))
        os.set_inheritable(file, True)
        return ("--journal", str(sender.fileno()), "--journal-fields", str(file))

    def entry(self) -> dict[str, bytes]:
        data, control, _, _ = self.socket.recvmsg(1 << 20, socket.CMSG_SPACE(4))
        for _, _, raw in control:
            (fd,) = array.array("i", raw)
            self.sealed += 1
            assert fcntl.fcntl(fd, fcntl.F_GET_SEALS) == SEALS
            with open(fd, "rb") as file:
                file.seek(0)
                data = file.read()
        return decode(data)

    def entries(self, count: int) -> list[dict[str, bytes]]:
        return [self.entry() for _ in range(count)]


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    made = Journal(tmp_path / "journal")
    yield made
    made.socket.close()


def test_lines_of_both_streams(monitor: Monitor, journal: Journal) -> None:
    options = journal.options("CONTAINER_NAME=web", "TWO=a\nb", "NOTHING=")
    monitor.start("sh", "-c", "echo one; printf 'a b'; sleep 0.1; echo c; echo two >&2; printf end", log=False, options=options)
    monitor.wait()
    common = {"CONTAINER_NAME": b"web", "TWO": b"a\nb", "NOTHING": b""}
    found = sorted(journal.entries(4), key=lambda entry: entry["MESSAGE"])
    assert found == [
        {"MESSAGE": b"a bc", "PRIORITY": b"6", **common}, {"MESSAGE": b"end", "PRIORITY": b"6", **common},
        {"MESSAGE": b"one", "PRIORITY": b"6", **common}, {"MESSAGE": b"two", "PRIORITY": b"3", **common},
    ]  # fmt: skip
    assert not list(monitor.dir.glob("*.log"))


def test_a_long_line_is_parts(monitor: Monitor, journal: Journal) -> None:
    monitor.start("sh", "-c", "head -c 40000 /dev/zero | tr '\\0' x; echo", log=False, options=journal.options())
    found = journal.entries(3)
    assert [len(entry["MESSAGE"]) for entry in found] == [16384, 16384, 40000 - 2 * 16384]
    assert [entry.get("CONTAINER_PARTIAL_MESSAGE") for entry in found] == [b"true", b"true", None]


def test_an_entry_too_large_for_a_datagram_is_a_sealed_file(monitor: Monitor, journal: Journal) -> None:
    fields = [f"F{number}=" + "y" * 100_000 for number in range(5)]
    monitor.start("echo", "text", log=False, options=journal.options(*fields))
    found = journal.entry()
    assert found["MESSAGE"] == b"text"
    assert [len(found[f"F{number}"]) for number in range(5)] == [100_000] * 5
    assert journal.sealed == 1


def test_a_journal_that_was_started_anew(monitor: Monitor, journal: Journal) -> None:
    monitor.start("sh", "-c", "echo one; read x; echo $x", log=False, client=True, options=journal.options())
    assert journal.entry()["MESSAGE"] == b"one"
    journal.start_anew()
    assert monitor.client is not None
    monitor.client.send(0, b"two\n")
    assert journal.entry()["MESSAGE"] == b"two"


def test_what_a_journal_did_not_take_is_said(monitor: Monitor, journal: Journal) -> None:
    monitor.start("sh", "-c", "read x; echo lost; read x; echo back", log=False, client=True, options=journal.options())
    journal.socket.close()
    assert monitor.client is not None
    monitor.client.send(0, b"\n")
    monitor.client.until(lambda client: client.stdout == b"lost\n")
    journal.start_anew()
    monitor.client.send(0, b"\n")
    first, second = journal.entries(2)
    assert first["MESSAGE"] == b"rootless: 4 bytes of output are missing here, the journal did not take them"
    assert (first["PRIORITY"], second["MESSAGE"]) == (b"3", b"back")


TALK = "i=0; while [ $i -lt 3000 ]; do echo line $i; i=$((i+1)); done; echo done >&2"


def test_a_journal_that_takes_nothing_holds_the_container_back(monitor: Monitor, journal: Journal) -> None:
    monitor.start("sh", "-c", TALK, log=False, client=True, options=journal.options())
    eventually(lambda: sends(monitor.pid))
    assert not (monitor.dir / "exit.json").exists()
    assert b"done" in [entry["MESSAGE"] for entry in journal.entries(3001)]
    monitor.wait()


def sends(pid: int) -> bool:
    """Whether the process waits in sendmsg(2)."""
    return Path(f"/proc/{pid}/syscall").read_text().split()[0] in ("46", "211")


def test_a_buffer_does_not_hold_it_back(monitor: Monitor, journal: Journal) -> None:
    options = (*journal.options(), "--log-buffer", "65536")
    monitor.start("sh", "-c", "head -c 1000000 /dev/zero | tr '\\0' '\\n'; echo done", log=False, client=True, options=options)
    assert monitor.client is not None
    monitor.client.finish()
    assert monitor.client.stdout.endswith(b"done\n")
    monitor.wait()
    assert monitor.exit_json()["status"] == 0
    # The writer goes on: what the buffer had, no more.
    count = 0
    journal.socket.settimeout(3)
    try:
        while True:
            journal.entry()
            count += 1
    except TimeoutError:
        pass
    assert 10_000 < count < 500_000


def test_a_buffered_log_is_whole_where_there_is_room(monitor: Monitor) -> None:
    monitor.start("sh", "-c", "seq 20000; echo end >&2", client=True, options=("--log-buffer", "1000000"))
    assert monitor.client is not None
    monitor.client.finish()
    texts = [text for stream, _, text in monitor.log() if stream == "stdout"]
    assert "".join(texts).replace("\n", "") == "".join(map(str, range(1, 20001)))
    assert ("stderr", "F", "end") in monitor.log()


def test_a_writer_that_is_stuck_ends_after_the_monitor(monitor: Monitor) -> None:
    os.mkfifo(monitor.dir / "container.log")
    words = ("sh", "-c", "head -c 1000000 /dev/zero; exec sleep 100")
    monitor.start(*words, client=True, options=("--log-buffer", "1000000"))
    assert monitor.client is not None
    monitor.client.until(lambda client: len(client.stdout) == 1_000_000)
    children = Path(f"/proc/{monitor.pid}/task/{monitor.pid}/children")
    (writer,) = [int(pid) for pid in children.read_text().split() if int(pid) != monitor.child]
    os.kill(monitor.pid, signal.SIGKILL)
    monitor.wait()
    pidfd = os.pidfd_open(writer)
    assert select.select([pidfd], [], [], 60)[0]
    os.close(pidfd)


def test_a_batch_system_tells_the_writer_to_end(monitor: Monitor) -> None:
    """SIGALRM, too, by which the kernel tells it of the monitor's end: as long as that lives it goes on."""
    monitor.start("sh", "-c", "echo begun; read x; echo ended", client=True, options=("--log-buffer", "100000"))
    assert monitor.client is not None
    monitor.client.until(lambda client: client.stdout == b"begun\n")
    children = Path(f"/proc/{monitor.pid}/task/{monitor.pid}/children")
    (writer,) = [int(pid) for pid in children.read_text().split() if int(pid) != monitor.child]
    eventually(lambda: ("stdout", "F", "begun") in monitor.log())
    processes.signal_as_of_a_job(writer)
    processes.pause(0.1)
    caught = Path(f"/proc/{writer}/status").read_text().split("SigCgt:\t")[1].split()[0]
    assert int(caught, 16) >> signal.SIGALRM - 1 & 1, "no alarm runs"
    monitor.client.send(0, b"\n")
    monitor.client.send(1)
    monitor.client.finish()
    assert ("stdout", "F", "ended") in monitor.log()


def test_a_buffered_file_that_is_stuck(monitor: Monitor) -> None:
    """A pipe in the log's place, which nobody reads: the container ends all the same, and what follows says what is missing."""
    os.mkfifo(monitor.dir / "container.log")
    reader = os.open(monitor.dir / "container.log", os.O_RDWR | os.O_NONBLOCK)
    options = ("--log-buffer", "10000")
    monitor.start("sh", "-c", "head -c 2000000 /dev/zero | tr '\\0' '\\n'; while read x; do echo more; done", client=True, options=options)
    assert monitor.client is not None
    monitor.client.until(lambda client: len(client.stdout) == 2_000_000)
    received = b""
    while b"bytes of output are missing here" not in received:
        monitor.client.send(0, b"\n")
        try:
            received = received[-200:] + os.read(reader, 1 << 16)
        except BlockingIOError:
            time.sleep(0.01)
    monitor.client.send(1)
    monitor.client.finish()
    assert monitor.wait() == 0
    os.close(reader)


def test_the_writer_holds_nothing_else(monitor: Monitor) -> None:
    monitor.start("sleep", "100", client=True, options=("--log-buffer", "100000"))
    children = Path(f"/proc/{monitor.pid}/task/{monitor.pid}/children")
    (writer,) = eventually(lambda: [int(pid) for pid in children.read_text().split() if int(pid) != monitor.child])
    eventually(lambda: not any("socket:" in target for target in descriptors(writer).values()))
    held = set(descriptors(writer).values()) - {"/dev/null"}
    assert {name.partition(":")[0] for name in held} <= {"pipe", str(monitor.dir), str(monitor.dir / "container.log")}
    assert sum(name.startswith("pipe:") for name in held) == 1
