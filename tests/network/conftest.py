"""A throw-away network namespace with servers in it, and slirp4netns started for it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from rootless.network.uplink import driver
from rootless.network.uplink.slirp4netns import start as slirp
from tests.need import need, need_program

# Answers on TCP 80 and UDP 53 with what it got, in capitals; on TCP 81 with the peer's address.
SERVERS = """
import selectors, socket, sys
import fcntl, struct
with socket.socket() as s:  # lo up: SIOCSIFFLAGS, IFF_UP
    fcntl.ioctl(s, 0x8914, struct.pack('16sh14x', b'lo', 1))
chooser = selectors.DefaultSelector()
def echo(listener):
    peer, _ = listener.accept()
    peer.sendall(peer.recv(65536).upper()); peer.close()
def answer(listener):
    data, where = listener.recvfrom(65536)
    listener.sendto(data.upper(), where)
tcp = socket.create_server(('0.0.0.0', 80)); udp = socket.socket(type=socket.SOCK_DGRAM); udp.bind(('0.0.0.0', 53))
chooser.register(tcp, selectors.EVENT_READ, echo); chooser.register(udp, selectors.EVENT_READ, answer)
print('ready', flush=True)
while True:
    for key, _ in chooser.select():
        key.data(key.fileobj)
"""


class Namespace:
    """A user and network namespace held by a process that serves in it."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            ["unshare", "--user", "--map-root-user", "--net", "--", sys.executable, "-c", SERVERS],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        need(self.process.stdout.readline() == "ready\n", "no user namespaces here")
        self.pid = self.process.pid

    def python(self, code: str) -> str:
        """What `code` prints when it runs inside."""
        enter = ["nsenter", "--preserve-credentials", "--user", "--net", f"--target={self.pid}"]
        done = subprocess.run(
            [*enter, sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def close(self) -> None:
        """End it and all in it."""
        self.process.kill()
        self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()


@pytest.fixture
def namespace() -> Iterator[Namespace]:
    need_program("slirp4netns")
    need(os.access("/dev/net/tun", os.R_OK | os.W_OK), "/dev/net/tun may not be opened")
    made = Namespace()
    yield made
    made.close()


@pytest.fixture
def other_namespace(namespace: Namespace) -> Iterator[Namespace]:
    made = Namespace()
    yield made
    made.close()


@pytest.fixture
def connect(tmp_path: Path) -> Iterator[Callable[..., dict[str, Any]]]:
    """connect(namespace, **how) is slirp.start; all that was started has ended after the test."""
    started: list[dict[str, Any]] = []

    def start(namespace: Namespace, **how: Any) -> dict[str, Any]:
        how.setdefault("run_dir", str(tmp_path))
        started.append(slirp.start(namespace.pid, **how))
        return started[-1]

    yield start
    for data in started:
        for fd in data["hold_fds"]:
            os.close(fd)
        gone_by = time.monotonic() + 60
        while not driver.has_ended(data) and time.monotonic() < gone_by:
            time.sleep(0.01)
        assert driver.has_ended(data), "slirp4netns outlived its exit pipe"
        try:
            os.waitpid(data["pid"], os.WNOHANG)
        except ChildProcessError:
            pass  # the test has reaped it
