"""The monitor's clients that were there before the start, and clients that only want to know the end."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator

import pytest

from tests.native.monitored import STDIN, Client, Monitor

ONLY_END = 5


@pytest.fixture
def attachers() -> Iterator[tuple[list[Client], tuple[str, ...]]]:
    """Three clients, their descriptors one run, and the monitor's options for them."""
    pairs = [socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET) for _ in range(3)]
    for number, (_, theirs) in enumerate(pairs):
        os.dup2(theirs.fileno(), 100 + number, inheritable=True)
        theirs.close()
    yield [Client(ours) for ours, _ in pairs], ("--attacher", "100", "--attacher-to", "102")
    for (ours, _), number in zip(pairs, range(100, 103), strict=True):
        ours.close()
        os.close(number)


def leave(*numbers: int) -> None:
    """The monitor has them now."""
    null = os.open("/dev/null", os.O_RDONLY)
    for number in numbers:
        os.dup2(null, number)
    os.close(null)


def test_each_has_the_first_byte(monitor: Monitor, attachers: tuple[list[Client], tuple[str, ...]]) -> None:
    clients, options = attachers
    monitor.start("sh", "-c", "echo first; exit 3", options=options, delay_s=0.3)
    leave(100, 101, 102)
    for client in clients:
        client.finish()
        assert (client.stdout, client.status) == (b"first\n", 3 << 8)


def test_one_that_has_died_is_nothing(monitor: Monitor, attachers: tuple[list[Client], tuple[str, ...]]) -> None:
    clients, options = attachers
    clients[1].close()
    monitor.start("echo", "first", options=options)
    leave(100, 101, 102)
    for client in (clients[0], clients[2]):
        assert client.finish().stdout == b"first\n"
    assert monitor.wait() == 0


def test_stdin_ends_with_the_one_that_claims_it(monitor: Monitor, attachers: tuple[list[Client], tuple[str, ...]]) -> None:
    """A message of no bytes is the claim."""
    clients, options = attachers
    clients[0].send(STDIN)
    monitor.start("cat", options=options)
    leave(100, 101, 102)
    clients[1].send(STDIN, b"typed")
    clients[2].until(lambda each: each.stdout == b"typed")
    clients[0].close()
    assert clients[2].finish().status == 0


def test_one_that_only_wants_the_end(monitor: Monitor, attachers: tuple[list[Client], tuple[str, ...]]) -> None:
    """It reads nothing and holds nothing back, ten megabytes of output neither."""
    clients, options = attachers
    clients[0].socket.send(bytes([ONLY_END]))
    clients[1].close()
    monitor.start("sh", "-c", "head -c 10000000 /dev/zero; exit 4", options=(*options, "--log-max-size", "0"))
    leave(100, 101, 102)
    assert len(clients[2].finish().stdout) == 10_000_000
    clients[0].finish()
    assert (clients[0].stdout, clients[0].status) == (b"", 4 << 8)


def test_one_that_decides_so_while_it_holds_the_output_back(monitor: Monitor) -> None:
    monitor.start("sh", "-c", "yes | head -c 3000000; exit 5", options=("--log-max-size", "0"))
    slow, other = monitor.attach(), monitor.attach()
    other.until(lambda each: len(each.stdout) > 0)
    slow.socket.send(bytes([ONLY_END]))
    assert other.finish().status == 5 << 8
    slow.finish()
    assert len(slow.stdout) < len(other.stdout)
    assert slow.status == 5 << 8
