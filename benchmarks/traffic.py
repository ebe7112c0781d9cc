"""TCP between two places, timed: much data by one connection and by eight, bytes there and back, connections."""

from __future__ import annotations

import os
import socket
import struct
import time
from collections.abc import Callable
from typing import NamedTuple

from benchmarks.places import Place

BULK = 256 << 20
ROUND_TRIPS = 2000
CONNECTIONS = 1000
_CHUNK = bytes(128 << 10)


class Way(NamedTuple):
    """From a client to a server that listens on `port` there; the client's word for it is `target`."""

    peer: str
    server: Place
    port: int
    client: Place
    target: tuple[str, int]


def _serve(listener: socket.socket, connections: int, each: Callable[[socket.socket], None]) -> int:
    pid = os.fork()
    if pid:
        return pid
    try:
        for _ in range(connections):
            connection, _ = listener.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            each(connection)
    finally:
        os._exit(0)


def _swallow(connection: socket.socket) -> None:
    room = bytearray(1 << 20)
    while connection.recv_into(room):
        pass
    connection.send(b"x")


def _echo(connection: socket.socket) -> None:
    try:
        while byte := connection.recv(1):
            connection.send(byte)
    except ConnectionResetError:
        pass
    connection.close()


def _wait(pids: list[int]) -> None:
    for pid in pids:
        if os.waitpid(pid, 0)[1]:
            raise RuntimeError("a connection was cut, or not made")


def _bulk(way: Way, listener: socket.socket, streams: int) -> float:
    """Begins when all are connected, ends when all has arrived."""
    servers = [_serve(listener, 1, _swallow) for _ in range(streams)]
    connected, tell_connected = os.pipe()
    begin, tell_begin = os.pipe()

    def send() -> None:
        os.close(tell_begin)
        with socket.create_connection(way.target) as client:
            os.write(tell_connected, b"x")
            os.read(begin, 1)
            for _ in range(BULK // streams // len(_CHUNK)):
                client.sendall(_CHUNK)
            client.shutdown(socket.SHUT_WR)
            if client.recv(1) != b"x":
                raise RuntimeError("not all has arrived")

    clients = [way.client.spawn(send) for _ in range(streams)]
    os.close(tell_connected)
    if sum(len(os.read(connected, 1)) for _ in range(streams)) != streams:
        raise RuntimeError(f"{way.peer}: no connection to {way.target[0]}:{way.target[1]}")
    began = time.perf_counter()
    os.close(tell_begin)
    _wait(clients)
    elapsed = time.perf_counter() - began
    _wait(servers)
    for fd in (connected, begin):
        os.close(fd)
    return elapsed * 1000


def _timed_there(way: Way, listener: socket.socket, connections: int, work: Callable[[], None]) -> float:
    server = _serve(listener, connections, _echo)
    reader, writer = os.pipe()

    def time_it() -> None:
        work()  # the program's first steps, untimed
        began = time.perf_counter()
        work()
        os.write(writer, struct.pack("d", time.perf_counter() - began))

    client = way.client.spawn(time_it)
    os.close(writer)
    with open(reader, "rb") as pipe:
        found = pipe.read()
    _wait([client, server])
    return float(struct.unpack("d", found)[0] * 1000)


def _round_trips(way: Way, listener: socket.socket) -> float:
    def work() -> None:
        with socket.create_connection(way.target) as client:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for _ in range(ROUND_TRIPS):
                client.send(b"x")
                client.recv(1)

    return _timed_there(way, listener, 2, work)


def _connections(way: Way, listener: socket.socket) -> float:
    def work() -> None:
        for _ in range(CONNECTIONS):
            with socket.create_connection(way.target) as client:
                client.send(b"x")
                client.recv(1)
                # No port in TIME_WAIT.
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    return _timed_there(way, listener, 2 * CONNECTIONS, work)


CASES: dict[str, Callable[[Way, socket.socket], float]] = {
    f"{BULK >> 20} MiB, 1 stream": lambda way, listener: _bulk(way, listener, 1),
    f"{BULK >> 20} MiB, 8 streams": lambda way, listener: _bulk(way, listener, 8),
    f"{ROUND_TRIPS:,} round trips of a byte": _round_trips,
    f"{CONNECTIONS:,} connections": _connections,
}
