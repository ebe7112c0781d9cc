"""rootless.linux.signal, socket and ctypes against the standard modules they stand in for."""

from __future__ import annotations

import ast
import ctypes
import errno
import os
import signal
import socket
from pathlib import Path
from types import ModuleType

import pytest

import rootless
from rootless.linux import ctypes as our_ctypes
from rootless.linux import signal as our_signal
from rootless.linux import socket as our_socket

PAIRS = {"signal": (our_signal, signal), "socket": (our_socket, socket), "ctypes": (our_ctypes, ctypes)}


def used(name: str) -> set[str]:
    """The attributes of `name` in the modules that import it from rootless.linux."""
    found: set[str] = set()
    for path in Path(rootless.__file__).parent.rglob("*.py"):
        tree = ast.parse(path.read_bytes())
        imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
        if not any(
            node.module == "rootless.linux" and any(alias.name == name for alias in node.names) for node in imports
        ):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == name:
                found.add(node.attr)
    return found


@pytest.mark.parametrize("name", PAIRS)
def test_all_that_is_used_is_there_and_means_the_same(name: str) -> None:
    ours, standard = PAIRS[name]
    names = used(name)
    assert names
    for each in sorted(names):
        value = getattr(standard, each)
        assert hasattr(ours, each), each
        if isinstance(value, int):
            assert getattr(ours, each) == value, each


def test_types_have_their_sizes() -> None:
    for name in (name for name in used("ctypes") if name.startswith("c_")):
        ours, standard = getattr(our_ctypes, name), getattr(ctypes, name)
        assert our_ctypes.sizeof(ours) == ctypes.sizeof(standard), name
        if name not in ("c_char_p", "c_void_p"):
            assert ours(-1).value == standard(-1).value, name


def test_a_call_sets_errno_for_us_alone() -> None:
    libc = our_ctypes.CDLL(None, use_errno=True)
    assert libc.close(-1) == -1
    assert our_ctypes.get_errno() == errno.EBADF
    assert libc.getpid() == os.getpid()
    with pytest.raises(AttributeError):
        libc.there_is_no_such_function()


@pytest.mark.parametrize("module", [our_ctypes, ctypes])
def test_buffers(module: ModuleType) -> None:
    assert module.create_string_buffer(8).raw == bytes(8)
    assert module.create_string_buffer(b"ab").raw == b"ab\0"
    assert module.create_string_buffer(b"ab", 5).raw == b"ab\0\0\0"


def test_descriptors_travel_and_are_closed_on_exec() -> None:
    one, other = our_socket.socketpair(our_socket.AF_UNIX, our_socket.SOCK_SEQPACKET)
    with one, other:
        assert not os.get_inheritable(one.fileno())
        assert not os.get_inheritable(other.fileno())
        reading, writing = os.pipe()
        our_socket.send_fds(one, [b"take ", b"this"], [reading, writing])
        data, fds, _, _ = our_socket.recv_fds(other, 100, 4, our_socket.MSG_CMSG_CLOEXEC)
        assert data == b"take this"
        assert len(fds) == 2
        assert not any(os.get_inheritable(fd) for fd in fds)
        os.write(fds[1], b"x")
        assert os.read(reading, 1) == b"x"
        for fd in (reading, writing, *fds):
            os.close(fd)
    assert one.fileno() == other.fileno() == -1


def test_a_connection_is_accepted(tmp_path: Path) -> None:
    with our_socket.socket(our_socket.AF_UNIX, our_socket.SOCK_SEQPACKET) as listening:
        listening.bind(str(tmp_path / "s"))
        listening.listen(1)
        with our_socket.socket(our_socket.AF_UNIX, our_socket.SOCK_SEQPACKET) as client:
            client.connect(str(tmp_path / "s"))
            client.send(b"hello")
            server, _ = listening.accept()
            with server:
                assert not os.get_inheritable(server.fileno())
                assert server.recv(10) == b"hello"


def test_a_handler_is_called() -> None:
    arrived: list[int] = []
    before = our_signal.signal(our_signal.SIGUSR1, lambda number, _: arrived.append(number))
    try:
        os.kill(os.getpid(), our_signal.SIGUSR1)
    finally:
        our_signal.signal(our_signal.SIGUSR1, before)
    assert arrived == [signal.SIGUSR1]
