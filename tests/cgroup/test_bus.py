"""The user's D-Bus, gone, hanging or nonsense: two seconds at most, and words for why."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from rootless.cgroup import subtrees, systemd
from rootless.errors import NotSupported, Unavailable
from rootless.linux.namespace import CLONE_NEWPID
from tests.harness.forked import become_root_of_own_namespace, forked


@pytest.fixture
def bus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """A listening socket where the user's bus is looked for."""
    path = tmp_path / "bus"
    monkeypatch.setattr(subtrees, "bus_sockets", lambda uid: (str(path),))
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
        server.bind(str(path))
        server.listen()
        yield server


def start() -> None:
    known = subtrees.Facts("/sys/fs/cgroup", "/x", "0::/x\n", 1000)
    systemd.start(known, "rootless-test", description="", slice_name="user.slice", settings=[])


def answering(server: socket.socket, answers: list[bytes]) -> threading.Thread:
    def run() -> None:
        connection, _ = server.accept()
        with connection:
            for answer in answers:
                connection.recv(4096)
                connection.sendall(answer)
            connection.recv(4096)
            if not answers:
                connection.recv(4096)  # until the other side has had enough

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread


def test_it_hangs(bus: socket.socket) -> None:
    thread = answering(bus, [])
    with pytest.raises(Unavailable, match="did not answer within 2 s"):
        start()
    thread.join()


def test_it_refuses_and_goes(bus: socket.socket) -> None:
    answering(bus, [b"REJECTED EXTERNAL\r\n"])
    with pytest.raises(Unavailable, match="does not let us in"):
        start()


def test_it_breaks_off(bus: socket.socket) -> None:
    answering(bus, [b"OK 0123456789abcdef0123456789abcdef\r\n"])
    with pytest.raises(Unavailable, match=r"closed the connection|broke off: (Broken pipe|Connection reset by peer)"):
        start()


def test_nobody_listens(bus: socket.socket) -> None:
    bus.close()
    with pytest.raises(Unavailable, match=r"no D-Bus of this user: .*Connection refused"):
        start()


@pytest.mark.usefixtures("bus")
def test_it_counts_processes_otherwise() -> None:
    """In a pid namespace of our own systemd would take our numbers for others; the hint says what to do."""

    def ask() -> NotSupported:
        become_root_of_own_namespace(CLONE_NEWPID)
        return forked(refused)  # the first child is in there

    def refused() -> NotSupported:
        with pytest.raises(NotSupported) as error:
            start()
        return error.value

    error = forked(ask)
    assert error.message.endswith("its systemd lives in another pid namespace")
    assert "systemd-run --user -p Delegate=yes" in (error.hint or "")
