"""Relays of published ports with a lot to do."""

from __future__ import annotations

import hashlib
import os
import select
import socket

from tests.need import need_program
from tests.network.hub_world import eventually
from tests.network.internet import Internet, in_internet, received
from tests.network.test_published_tcp import Published

need_program("ip")


def test_what_is_large_arrives_as_it_was_sent_in_both_directions_at_once() -> None:
    def test(internet: Internet) -> None:
        pair = Published(internet).pair()
        texts = [os.urandom(1 << 20) * 64 for _ in pair]
        pids = []
        for connection, text in zip(pair, texts, strict=True):
            pid = os.fork()
            if pid == 0:
                connection.sendall(text)
                connection.shutdown(socket.SHUT_WR)
                os._exit(0)
            pids.append(pid)
        hashes = [hashlib.sha256() for _ in pair]
        left = {pair[0]: hashes[1], pair[1]: hashes[0]}
        while left:
            for connection in select.select(list(left), [], [], 30)[0]:
                if chunk := connection.recv(1 << 20):
                    left[connection].update(chunk)
                else:
                    del left[connection]
        assert [each.digest() for each in hashes] == [hashlib.sha256(text).digest() for text in texts]
        for pid in pids:
            os.waitpid(pid, 0)

    in_internet(test, timeout_s=120)


def test_who_does_not_read_stops_nobody_else() -> None:
    def test(internet: Internet) -> None:
        published = Published(internet)
        slow = [published.pair() for _ in range(20)]
        for client, _ in slow:
            client.setblocking(False)
            for _ in range(100):
                try:
                    client.send(b"x" * 100000)
                except BlockingIOError:
                    break
        client, served = published.pair()
        client.sendall(b"question")
        assert received(served, 8) == b"question"
        served.sendall(b"answer")
        assert received(client, 6) == b"answer"

    in_internet(test)


def test_a_thousand_connections() -> None:
    def test(internet: Internet) -> None:
        published = Published(internet)
        pairs = [published.pair() for _ in range(1000)]
        assert internet.flows()["one"] == 1000
        for number, (client, _) in enumerate(pairs):
            client.sendall(b"%4d" % number)
        for number, (_, served) in enumerate(pairs):
            assert received(served, 4) == b"%4d" % number
            served.close()
        for client, _ in pairs:
            assert received(client) == b""
            client.close()
        assert eventually(lambda: internet.flows()["one"] == 0)

    in_internet(test)
