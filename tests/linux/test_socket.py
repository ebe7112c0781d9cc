"""Unix sockets: their addresses, which hold 107 bytes, in directories of any length; the last words of who has closed."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from rootless.linux import socket as kernel
from rootless.linux.socket import address_in, is_address, receive_packet


@pytest.mark.parametrize("length", [1, 107, 108, 200, 900])
def test_a_directory_of_any_length(tmp_path: Path, length: int) -> None:
    directory = tmp_path / "short"
    while len(os.fsencode(directory / "s")) < length:
        directory /= "d" * min(200, max(1, length - len(os.fsencode(directory / "s")) - 1))
    directory.mkdir(parents=True)
    before = os.listdir("/proc/self/fd")
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
        with address_in(str(directory), "s") as address:
            server.bind(address)
        server.listen()
        with address_in(str(directory), "s") as address:
            client.connect(address)
    assert (directory / "s").is_socket()
    assert os.listdir("/proc/self/fd") == before


def test_what_fits(tmp_path: Path) -> None:
    for length, fits in ((107, True), (108, False)):
        name = "ü" * ((length - 1) // 2)
        path = "/" + name + "x" * (length - 1 - len(os.fsencode(name)))
        assert len(os.fsencode(path)) == length
        assert is_address(path) is fits


def test_a_directory_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), address_in(str(tmp_path / ("d" * 200)), "s"):
        pass


def test_what_was_said_before_a_reset_is_read() -> None:
    """Who closes with packets unread resets the connection: the kernel says so before it gives what that side had sent."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours:
        theirs.send(b"one")
        theirs.send(b"last")
        ours.send(b"unread")
        theirs.close()
        with kernel.socket(fileno=os.dup(ours.fileno())) as reading:
            assert [receive_packet(reading, 100) for _ in range(4)] == [b"one", b"last", b"", b""]
