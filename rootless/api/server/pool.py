"""The zygote's workers: one that waits for a request, forked before it comes, and those that have only read and take another.

A fork costs milliseconds that no client should wait for. A worker that has joined the session, changed something or
begun a stream ends with its request; one that has only read says so, and goes on, for a moment and so many requests.
"""

from __future__ import annotations

import os
import select
from collections.abc import Callable
from typing import TYPE_CHECKING, NoReturn

from rootless.api.server import wire

if TYPE_CHECKING:
    import socket

SERVED = 200
"""Requests that one worker answers at most: what one leaves behind in its memory is not for ever."""
WARM_S = 2.0
"""Seconds without requests after which no worker is kept that has answered any."""
_IDLE = 2  # workers that wait at a time

Run = Callable[["socket.socket"], NoReturn]


class _Worker:
    """A worker, and our end of the wire to it; it ends when that is closed."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.served = 0


class Pool:
    """Hands the requests of `requests` to workers. `run` is a worker's whole life, with its end of a wire."""

    def __init__(self, requests: socket.socket, run: Run) -> None:
        self._requests = requests
        self._run = run
        self._idle: list[_Worker] = []  # the last one has answered last: its memory is its own already
        self._busy: dict[int, _Worker] = {}
        self._poller = select.poll()
        self._poller.register(requests, select.POLLIN)

    def serve(self) -> None:
        """Until the front has ended."""
        while True:
            if not self._idle:
                self._fork()
            warm = any(worker.served for worker in self._idle)
            events = self._poller.poll(WARM_S * 1000 if warm else None)
            # What workers say comes first: one that is free again takes the request that is there.
            for fd, _ in events:
                if fd != self._requests.fileno():
                    self._heard(fd)
            if not events:
                self._cool()
            elif any(fd == self._requests.fileno() for fd, _ in events) and not self._hand_on():
                return

    def _fork(self, *taken: socket.socket) -> None:
        """One more that waits; none where there are no more processes: a request tries again. `taken` is not for it: who kept
        another's socket would keep its connection."""
        ours, theirs = wire.pair()
        try:
            pid = os.fork()
        except OSError:
            ours.close()
            theirs.close()
            return
        if pid == 0:
            for other in (ours, self._requests, *taken, *(worker.sock for worker in (*self._idle, *self._busy.values()))):
                other.close()
            self._run(theirs)
        theirs.close()
        self._idle.insert(0, _Worker(ours))
        self._poller.register(ours, select.POLLIN)

    def _hand_on(self) -> bool:
        """The next request to a worker; False where the front has ended."""
        taken = wire.take(self._requests)
        if taken is None:
            return False
        sock, channel, received = taken
        while True:
            if not self._idle:
                self._fork(sock, channel)
            if not self._idle:
                break  # no more processes: the front sees the channel closed, and hangs up
            worker = self._idle.pop()
            worker.served += 1
            self._busy[worker.sock.fileno()] = worker
            try:
                wire.hand_over(worker.sock, sock, channel, received)
                break
            except OSError:
                self._forget(worker)  # it was killed while it waited
        sock.close()
        channel.close()
        return True

    def _heard(self, fd: int) -> None:
        """A worker is free again, or has ended or will with its request."""
        worker = self._busy.get(fd) or next(each for each in self._idle if each.sock.fileno() == fd)
        try:
            free = worker.sock.recv(1) == wire.FREE
        except OSError:
            free = False
        if not free or worker.served >= SERVED or len(self._idle) >= _IDLE:
            self._forget(worker)
            return
        del self._busy[fd]
        self._idle.append(worker)

    def _cool(self) -> None:
        for worker in [each for each in self._idle if each.served]:
            self._forget(worker)

    def _forget(self, worker: _Worker) -> None:
        self._poller.unregister(worker.sock)
        self._busy.pop(worker.sock.fileno(), None)
        if worker in self._idle:
            self._idle.remove(worker)
        worker.sock.close()
