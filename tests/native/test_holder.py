"""The session's holder."""

from __future__ import annotations

import array
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from rootless.linux.signals import SENT_TO_JOBS
from tests.native.monitored import eventually
from tests.need import need


@pytest.fixture
def listening(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as made:
        made.bind(str(tmp_path / "s.new"))
        made.listen(8)
        yield made


class Holder:
    def __init__(self, program: Path, listening: socket.socket, *wrapper: str) -> None:
        self.path: str = listening.getsockname()
        fd = listening.fileno()
        stray_reader, stray = os.pipe()
        argv = [*wrapper, str(program), "--listen", str(fd), "--socket", self.path.removesuffix(".new")]
        self.process = subprocess.Popen(argv, pass_fds=(fd, stray), cwd="/tmp")
        os.close(stray)
        assert os.read(stray_reader, 1) == b"", "a descriptor that is not its own stays open"
        os.close(stray_reader)

    def ask(self) -> tuple[bytes, list[int]]:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.connect(self.path)  # blocking: with a timeout a full backlog is EAGAIN
            connection.settimeout(60)
            data, rights, _, _ = connection.recvmsg(10, 100)
        fds = array.array("i")
        for _, _, payload in rights:
            fds.frombytes(payload)
        return data, list(fds)

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture
def holder(helpers: Path, listening: socket.socket) -> Iterator[Holder]:
    made = Holder(helpers / "rootless-holder", listening)
    yield made
    made.stop()


def test_hands_out_its_user_namespace(holder: Holder) -> None:
    for _ in range(20):
        data, fds = holder.ask()
        assert data == b"S"
        assert os.fstat(fds[0]).st_ino == os.stat("/proc/self/ns/user").st_ino
        for fd in fds:
            os.close(fd)


def test_a_namespace_of_its_own(helpers: Path, listening: socket.socket) -> None:
    possible = subprocess.run(["unshare", "-Ur", "true"], capture_output=True, check=False).returncode == 0
    need(possible, "unshare -Ur does not work here")
    made = Holder(helpers / "rootless-holder", listening, "unshare", "-Ur")
    try:
        data, fds = made.ask()
        assert data == b"S"
        assert os.fstat(fds[0]).st_ino != os.stat("/proc/self/ns/user").st_ino
        assert os.fstat(fds[1]).st_ino == os.stat(f"/proc/{made.process.pid}/ns/net").st_ino
        assert os.fstat(fds[1]).st_ino != os.stat("/proc/self/ns/net").st_ino
        for fd in fds:
            os.close(fd)
    finally:
        made.stop()


def test_the_hub_is_the_network_it_was_started_in(helpers: Path, listening: socket.socket) -> None:
    possible = subprocess.run(["unshare", "-Urn", "true"], capture_output=True, check=False).returncode == 0
    need(possible, "unshare -Urn does not work here")
    noted = Path(listening.getsockname()).parent / "started-in"
    script = f'readlink /proc/self/ns/net >{noted}; exec "$@"'
    made = Holder(helpers / "rootless-holder", listening, "unshare", "-Urn", "sh", "-c", script, "sh")
    try:
        _, fds = made.ask()
        assert [f"net:[{os.fstat(fd).st_ino}]" for fd in fds[1:]] == [noted.read_text().strip()]
        for fd in fds:
            os.close(fd)
    finally:
        made.stop()


def test_without_room_for_another_network_it_has_no_hub(helpers: Path, listening: socket.socket) -> None:
    possible = subprocess.run(["unshare", "-Ur", "true"], capture_output=True, check=False).returncode == 0
    need(possible, "unshare -Ur does not work here")
    none = 'echo 0 >/proc/sys/user/max_net_namespaces; exec "$@"'
    made = Holder(helpers / "rootless-holder", listening, "unshare", "-Ur", "sh", "-c", none, "sh")
    try:
        data, fds = made.ask()
        assert (data, len(fds)) == (b"S", 1)
        os.close(fds[0])
    finally:
        made.stop()


OTHER_UID = """
import os, socket, subprocess, sys
listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
listening.bind(f"\\0rootless-test-{os.getpid()}")
listening.listen(4)
fd = listening.fileno()
holder = subprocess.Popen([sys.argv[1], "--listen", str(fd), "--socket", "/nowhere"], pass_fds=[fd])

def ask():
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(60)
        connection.connect(listening.getsockname())
        return connection.recv(10)

try:
    print(ask(), flush=True)
    os.setresuid(7, 7, 0)
    print(ask(), flush=True)
    os.setresuid(0, 0, 0)
    print(ask(), flush=True)
finally:
    holder.kill()
"""


def test_another_uid_is_refused(helpers: Path) -> None:
    unshare = ["unshare", "--user", "--map-root-user", "--map-auto"]
    possible = subprocess.run([*unshare, "true"], capture_output=True, check=False).returncode == 0
    need(possible, "no subordinate ids, or unshare --map-auto does not work here")
    argv = [*unshare, "python3", "-c", OTHER_UID, str(helpers / "rootless-holder")]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=30)
    assert done.stdout.splitlines() == ["b'S'", "b''", "b'S'"], done.stderr


def test_unmapped_uid_is_refused(helpers: Path, listening: socket.socket) -> None:
    """In a namespace without a mapping everybody is the overflow uid, the holder too."""
    possible = subprocess.run(["unshare", "-U", "true"], capture_output=True, check=False).returncode == 0
    need(possible, "unshare -U does not work here")
    made = Holder(helpers / "rootless-holder", listening, "unshare", "-U")
    try:
        assert made.ask() == (b"", [])
    finally:
        made.stop()


def test_hanging_clients_hold_nobody_up(holder: Holder) -> None:
    hanging = []
    for _ in range(5):
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.connect(holder.path)
        hanging.append(connection)
    data, fds = holder.ask()
    assert data == b"S"
    os.close(fds[0])
    for connection in hanging:
        connection.close()


def test_clients_that_go_at_once_do_not_matter(holder: Holder) -> None:
    for _ in range(200):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.connect(holder.path)
    data, fds = holder.ask()
    assert data == b"S"
    os.close(fds[0])


def test_lives_on_and_ends_on_sigterm(holder: Holder) -> None:
    os.close(holder.ask()[1][0])
    for number in {*SENT_TO_JOBS, signal.SIGPIPE} - {signal.SIGTERM}:
        holder.process.send_signal(number)
    os.close(holder.ask()[1][0])
    holder.process.send_signal(signal.SIGTERM)
    assert holder.process.wait(60) == -signal.SIGTERM


def test_its_place_in_the_process_table(holder: Holder) -> None:
    os.close(holder.ask()[1][0])
    process = Path("/proc") / str(holder.process.pid)
    assert eventually(lambda: (process / "comm").read_text() == "rootless: sessi\n")
    fields = (process / "stat").read_text().rsplit(")", 1)[1].split()
    assert int(fields[3]) == holder.process.pid, "leads a session of its own"


def test_arguments_are_checked(helpers: Path) -> None:
    for words in ([], ["--listen"], ["--listen", "99", "--socket", "s"], ["--listen", "x", "--socket", "s"], ["--listen", "0"]):
        argv = [str(helpers / "rootless-holder"), *words]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        assert done.returncode == 2
        assert "rootless-holder: " in done.stderr


def test_a_socket_that_is_nowhere_ends_it(holder: Holder) -> None:
    """Published under its name it stays; removed, or replaced by another's, nobody can reach it."""
    published = holder.path.removesuffix(".new")
    assert holder.ask()[0] == b"S"
    os.chmod(holder.path, 0o600)
    os.rename(holder.path, published)
    holder.path = published
    os.chmod(holder.path, 0o700)
    assert holder.ask()[0] == b"S"
    assert holder.process.poll() is None
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as other:
        other.bind(published + ".other")
        os.rename(published + ".other", published)
    assert holder.process.wait(timeout=20) == 0


def test_a_removed_socket_ends_it(holder: Holder) -> None:
    assert holder.ask()[0] == b"S"  # it has looked at its socket then
    os.unlink(holder.path)
    assert holder.process.wait(timeout=20) == 0
