"""--log-driver journald: Docker's fields, and who answers."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

import pytest

from rootless.engine.state.logs import journal, options
from rootless.errors import NotSupported


def record(**words: str) -> Any:
    return {
        "id": "ab" * 32, "name": "web", "image": "bb:1", "image_id": "sha256:" + "cd" * 32, "cmd": ["b"], "entrypoint": [],
        "labels": {"com.example.a-b": "1\n2", "MESSAGE": "forged", "container_id": "forged", "1": "x", "__b": "y"}, "env": ["A=b"],
        "log": options.parse("journald", words),
    }  # fmt: skip


def test_dockers_fields() -> None:
    full = "ab" * 32
    assert journal.fields(record()) == (
        "CONTAINER_ID=abababababab", f"CONTAINER_ID_FULL={full}", "CONTAINER_NAME=web", "CONTAINER_TAG=abababababab",
        "SYSLOG_IDENTIFIER=abababababab", "IMAGE_NAME=bb:1",
    )  # fmt: skip


def test_chosen_ones_never_take_the_place_of_ours() -> None:
    found = journal.fields(record(**{"labels-regex": ".", "env": "A", "tag": "{{.Name}}"}))
    assert found[:3] == ("COM_EXAMPLE_A_B=1\n2", "B=y", "A=b")
    assert [each for each in found if "forged" in each or "=x" in each] == []
    assert "CONTAINER_TAG=web" in found


def test_who_answers(tmp_path: Path) -> None:
    path = str(tmp_path / "socket")
    with pytest.raises(NotSupported) as caught:
        journal.connect(path)
    assert "no journal answers" in caught.value.message
    assert "leave --log-driver out" in str(caught.value.hint)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(path)
        fd = journal.connect(path)
        os.write(fd, b"MESSAGE=x\n")
        assert listening.recv(100) == b"MESSAGE=x\n"
        os.close(fd)
    with pytest.raises(NotSupported):
        journal.connect(path)
