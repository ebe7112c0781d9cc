"""What the tests of pasta share: one started for a throw-away namespace, and that nothing of it is left."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from rootless.network import ports
from rootless.network.uplink import driver
from rootless.network.uplink.connection import Connection
from tests.need import need_program
from tests.network.conftest import Namespace

Connect = Callable[..., dict[str, Any]]


@contextmanager
def connecting(directory: Path) -> Iterator[Connect]:
    """connect(namespace, ports=["80:80"], words=["-4"]); all that was started has ended afterwards."""
    need_program("pasta")
    started: list[dict[str, Any]] = []

    def connected(namespace: Namespace, *, words: tuple[str, ...] = (), **wanted: Any) -> dict[str, Any]:
        published = ports.parse(wanted.pop("ports", []))
        kinds = [os.open(f"/proc/{namespace.pid}/ns/{kind}", os.O_RDONLY) for kind in ("user", "net")]
        try:
            uplink = driver.configure("pasta", list(words))
            user, network = kinds
            started.append(uplink.connect(namespace.pid, (user, network), Connection(str(directory), published, **wanted)))
        finally:
            for fd in kinds:
                os.close(fd)
        return started[-1]

    yield connected
    for data in started:
        below = children(data["pid"])
        for fd in data["hold_fds"]:
            os.close(fd)
        wait_until(partial(driver.has_ended, data))
        assert not [pid for pid in below if runs(pid)], "pasta outlived its tether"
        try:
            os.waitpid(data["pid"], os.WNOHANG)
        except ChildProcessError:
            pass  # the test has reaped it


def children(pid: int) -> list[int]:
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return []


def runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_until(true: Callable[[], bool]) -> None:
    until = time.monotonic() + 60
    while not true():
        assert time.monotonic() < until, "it has not come in a minute"
        time.sleep(0.01)
