"""What flows while a test changes other things: `traffic.py serve`, or `traffic.py use NAME ADDRESS`, of the server.

A stream of which every byte is known, datagrams and questions to the resolver that are answered one by one. `use` says "flows"
when all three do, and after a line of input what has come: bytes, datagrams, questions, and how many of these were not answered.
A program by itself: Python 3.11 is all that it needs.
"""

from __future__ import annotations

import contextlib
import socket
import sys
import threading
from collections.abc import Callable

STREAM, ECHO = 5001, 5002
RESOLVER = ("127.0.0.11", 53)
BLOCK = bytes(range(256)) * 64
PATIENCE_S = 5
"""Much more than any of this takes on a machine that is very busy."""


def stream(connection: socket.socket) -> None:
    """Block after block, numbered, for as long as they are taken."""
    number = 0
    with connection, contextlib.suppress(ConnectionError):
        while True:
            connection.sendall(number.to_bytes(8, "big") + BLOCK)
            number += 1


def echo(bound: socket.socket) -> None:
    while True:
        data, peer = bound.recvfrom(2000)
        bound.sendto(data, peer)


def serve() -> None:
    bound = socket.socket(type=socket.SOCK_DGRAM)
    bound.bind(("", ECHO))
    threading.Thread(target=echo, args=(bound,), daemon=True).start()
    listener = socket.create_server(("", STREAM))
    while True:
        threading.Thread(target=stream, args=listener.accept()[:1], daemon=True).start()


class Use:
    def __init__(self, name: str, address: str) -> None:
        self.name, self.address = name, address
        self.ends = threading.Event()
        self.failure = ""
        self.counts = {"bytes": 0, "datagrams": 0, "questions": 0, "unanswered": 0}
        self.begun = {word: threading.Event() for word in ("bytes", "datagrams", "questions")}

    def receive(self) -> None:
        with socket.create_connection((self.address, STREAM), 60) as connection, connection.makefile("rb") as incoming:
            number = 0
            while not self.ends.is_set():
                block = incoming.read(8 + len(BLOCK))
                assert block == number.to_bytes(8, "big") + BLOCK, f"block {number} is {block[:20]!r}..., of {len(block)} bytes"
                number += 1
                self.count("bytes", len(block))

    def exchange(self) -> None:
        self.one_by_one("datagrams", (self.address, ECHO), lambda number: b"%d" % number, lambda number, got: got == b"%d" % number)

    def ask(self) -> None:
        name = b"".join(bytes([len(word)]) + word.encode() for word in self.name.split("."))
        question = name + bytes.fromhex("0000010001")
        wanted = socket.inet_aton(self.address)
        self.one_by_one(
            "questions", RESOLVER,
            lambda number: (number & 0xFFFF).to_bytes(2, "big") + bytes.fromhex("01000001000000000000") + question,
            lambda number, got: got[:2] == (number & 0xFFFF).to_bytes(2, "big") and got.endswith(wanted),
        )  # fmt: skip

    def one_by_one(
        self, word: str, where: tuple[str, int], said: Callable[[int], bytes], good: Callable[[int, bytes], bool]
    ) -> None:
        with socket.socket(type=socket.SOCK_DGRAM) as asking:
            asking.settimeout(PATIENCE_S)
            number = 0
            while not self.ends.wait(0.002):
                number += 1
                asking.sendto(said(number), where)
                try:
                    got = asking.recv(2000)
                except TimeoutError:
                    self.counts["unanswered"] += 1
                    continue
                assert good(number, got), f"{word}: {got!r}"
                self.count(word, 1)

    def count(self, word: str, more: int) -> None:
        self.counts[word] += more
        self.begun[word].set()

    def run(self, work: Callable[[], None]) -> None:
        try:
            work()
        except (OSError, AssertionError) as error:
            self.failure = self.failure or f"{work.__name__}: {error!r}"

    def main(self) -> None:
        threads = [threading.Thread(target=self.run, args=(work,)) for work in (self.receive, self.exchange, self.ask)]
        for thread in threads:
            thread.start()
        print("flows" if all(event.wait(60) for event in self.begun.values()) else "stands", self.failure, flush=True)
        sys.stdin.readline()
        still = [thread.is_alive() for thread in threads]
        self.ends.set()
        for thread in threads:
            thread.join()
        assert all(still), f"it did not flow to the end: {self.failure}"
        assert not self.failure, self.failure
        print(*(f"{word} {count}" for word, count in self.counts.items()), flush=True)


if __name__ == "__main__":
    serve() if sys.argv[1] == "serve" else Use(*sys.argv[2:]).main()
