"""A systemd that takes its time: what it has accepted is waited for, what it gives up or never answers is not."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from jeepney import HeaderFields, Message, Parser, new_error, new_method_return

from rootless.cgroup import bus, subtrees, systemd
from rootless.errors import NotSupported, Unavailable

UNIT = "rootless-slow.scope"


class Systemd:
    """The bus and systemd behind it, as far as a scope needs them: a peer on a socket of ours.

    `answer` is called with each method of the manager's; what it returns is the reply's body.
    """

    def __init__(self, path: Path, answer: Callable[[str], tuple[str, tuple[Any, ...]] | str]) -> None:
        self.asked: list[str] = []
        self._answer = answer
        self._server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._server.bind(str(path))
        self._server.listen()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._thread.join()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            with connection, contextlib.suppress(BrokenPipeError):
                self._talk(connection)

    def _talk(self, connection: socket.socket) -> None:
        assert connection.recv(4096).startswith(b"\0AUTH EXTERNAL")
        connection.sendall(b"OK 0123456789abcdef0123456789abcdef\r\n")
        data = connection.recv(4096)
        parser, serial = Parser(), 0
        messages = parser.feed(data.removeprefix(b"BEGIN\r\n"))
        while True:
            for message in messages:
                serial += 1
                connection.sendall(self._reply(message).serialise(serial))
            data = connection.recv(4096)
            if not data:
                return
            messages = parser.feed(data)

    def _reply(self, message: Message) -> Message:
        method = message.header.fields[HeaderFields.member]
        if method == "Hello":
            return new_method_return(message, "s", (":1.1",))
        self.asked.append(method)
        found = self._answer(method)
        if isinstance(found, str):
            return new_error(message, found, "s", ("because",))
        return new_method_return(message, *found)


@pytest.fixture
def scope(delegated: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The directory of the scope to be; systemd has 0.2 seconds before it counts as slow."""
    monkeypatch.setattr(bus, "TIMEOUT_S", 0.2)
    monkeypatch.setattr(systemd, "TIMEOUT_S", 0.2)
    path = delegated / UNIT
    path.mkdir()
    yield path
    path.rmdir()


@pytest.fixture
def child() -> Iterator[int]:
    """A process to be put into the scope."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(write)
        os.read(read, 1)
        os._exit(0)
    os.close(read)
    yield pid
    os.close(write)
    os.waitpid(pid, 0)


def start(socket_path: Path, monkeypatch: pytest.MonkeyPatch, child: int, answers_s: float = 60.0) -> str:
    monkeypatch.setattr(subtrees, "bus_sockets", lambda uid: (str(socket_path),))
    known = subtrees.facts()._replace(uid=os.getuid() or 1000)
    return systemd.start(
        known, "rootless-slow", description="", slice_name="user.slice", settings=[], pid=child, answers_s=answers_s
    )


JOB = ("o", ("/org/freedesktop/systemd1/job/1",))
FOUND = ("o", ("/org/freedesktop/systemd1/unit/rootless_2dslow_2escope",))


def test_a_job_that_takes_long_is_waited_for(
    scope: Path, child: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(method: str) -> tuple[str, tuple[Any, ...]]:
        if method == "GetUnit" and peer.asked.count("GetUnit") == 3:
            (scope / "cgroup.procs").write_text(str(child))
        return FOUND if method == "GetUnit" else JOB

    peer = Systemd(tmp_path / "bus", answer)
    try:
        assert start(tmp_path / "bus", monkeypatch, child) == str(scope)
    finally:
        peer.close()
        (scope.parent / "login/cgroup.procs").write_text(str(child))
    assert peer.asked[0] == "StartTransientUnit"
    assert set(peer.asked[1:]) == {"GetUnit"}


def test_an_answer_that_takes_long_is_waited_for(
    scope: Path, child: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(method: str) -> tuple[str, tuple[Any, ...]]:
        threading.Event().wait(0.5)  # more than TIMEOUT_S
        (scope / "cgroup.procs").write_text(str(child))
        return JOB

    peer = Systemd(tmp_path / "bus", answer)
    try:
        assert start(tmp_path / "bus", monkeypatch, child) == str(scope)
    finally:
        peer.close()
        (scope.parent / "login/cgroup.procs").write_text(str(child))


def test_a_unit_that_is_gone_ends_the_wait(
    scope: Path, child: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(method: str) -> tuple[str, tuple[Any, ...]] | str:
        return "org.freedesktop.systemd1.NoSuchUnit" if method == "GetUnit" else JOB

    peer = Systemd(tmp_path / "bus", answer)
    try:
        with pytest.raises(NotSupported, match="systemd refuses GetUnit: because"):
            start(tmp_path / "bus", monkeypatch, child)
    finally:
        peer.close()


def test_one_that_hangs_is_given_up(
    scope: Path, child: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given_up = threading.Event()

    def answer(method: str) -> tuple[str, tuple[Any, ...]]:
        given_up.wait()
        return JOB

    peer = Systemd(tmp_path / "bus", answer)
    try:
        with pytest.raises(Unavailable, match=r"systemd did not answer within 0\.3 s"):
            start(tmp_path / "bus", monkeypatch, child, answers_s=0.3)
    finally:
        given_up.set()
        peer.close()


def test_one_that_never_gets_to_it_is_given_up(
    scope: Path, child: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    peer = Systemd(tmp_path / "bus", lambda method: FOUND if method == "GetUnit" else JOB)
    try:
        with pytest.raises(Unavailable, match=rf"did not move process {child} into {UNIT} within 0\.6 s"):
            start(tmp_path / "bus", monkeypatch, child, answers_s=0.6)
    finally:
        peer.close()
