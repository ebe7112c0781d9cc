"""Whether systemd-nsresourced is here: asked as a client asks it."""

from __future__ import annotations

import json
import socket
import threading
from pathlib import Path

import pytest

from rootless.session.ids import nsresourced

INFO = {"parameters": {"vendor": "x", "interfaces": ["org.varlink.service", "io.systemd.NamespaceResource"]}}


@pytest.mark.parametrize(
    ("answer", "there"),
    [
        (json.dumps(INFO).encode() + b"\0", True),
        (b'{"parameters":{"interfaces":["org.varlink.service"]}}\0', False),
        (b'{"error":"org.varlink.service.MethodNotFound","parameters":{}}\0', False),
        (b"[]\0", False),
        (b'{"parameters":', False),
        (b"\xff\0", False),
    ],
)
def test_a_service_that_answers(tmp_path: Path, answer: bytes, there: bool) -> None:
    asked = []

    def serve(listening: socket.socket) -> None:
        connection, _ = listening.accept()
        with connection:
            asked.append(connection.recv(4096))
            connection.sendall(answer)

    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening:
        listening.bind(str(tmp_path / "s"))
        listening.listen()
        thread = threading.Thread(target=serve, args=(listening,))
        thread.start()
        found = nsresourced.answers(str(tmp_path / "s"))
        thread.join()
    assert found is there
    assert asked == [b'{"method":"org.varlink.service.GetInfo"}\0']


def test_none(tmp_path: Path) -> None:
    assert not nsresourced.answers(str(tmp_path / "s"))
