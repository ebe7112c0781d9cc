"""The monitor's connection to netd: what its end has executed, and when."""

from __future__ import annotations

import itertools
import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.native.monitored import Monitor, cpu_ticks, eventually, own_memory


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as made:
        made.bind(str(tmp_path / "netd.sock"))
        made.listen(8)
        made.settimeout(60)
        yield made


def repaired_by(tmp_path: Path, script: str) -> tuple[str, ...]:
    words = ("sh", "-c", f"date +%s.%N >>{tmp_path}/repairs; {script}")
    return ("--netd", str(tmp_path / "netd.sock"), *(part for word in words for part in ("--repair", word)))


def repairs(tmp_path: Path) -> list[float]:
    path = tmp_path / "repairs"
    return [float(line) for line in path.read_text().split()] if path.exists() else []


def test_a_netd_that_ends_is_repaired_and_watched_again(monitor: Monitor, tmp_path: Path, listener: socket.socket) -> None:
    monitor.start("sleep", "100", options=repaired_by(tmp_path, "exit 0"))
    for count in (1, 2):
        connection, _ = listener.accept()
        assert len(repairs(tmp_path)) == count - 1
        connection.close()
        eventually(lambda: len(repairs(tmp_path)) >= count)  # noqa: B023 - called at once
    connection, _ = listener.accept()
    connection.send(b"what it says means nothing")
    time.sleep(0.3)
    assert len(repairs(tmp_path)) == 2
    assert cpu_ticks(monitor.pid) < 20
    assert own_memory(monitor.pid) < 80
    os.kill(monitor.child, signal.SIGKILL)
    assert connection.recv(1) == b"", "with the container ends the connection"
    monitor.wait()
    assert len(repairs(tmp_path)) == 2


def test_a_netd_that_does_not_know_the_container_is_told_of_it(monitor: Monitor, tmp_path: Path, listener: socket.socket) -> None:
    """Another one was told of it, and was killed before the monitor connected."""
    container = "0123456789abcdef" * 4
    words = ("sh", "-c", f"date +%s.%N >>{tmp_path}/repairs", container)
    options = ("--netd", str(tmp_path / "netd.sock"), *(part for word in words for part in ("--repair", word)))
    monitor.start("sleep", "100", options=options)
    connection, _ = listener.accept()
    assert connection.recv(100) == f"more {container}".encode()
    connection.send(b"error no such container")
    again, _ = listener.accept()
    assert len(repairs(tmp_path)) == 1
    assert again.recv(100) == f"more {container}".encode()
    again.send(b"ok")
    time.sleep(0.3)
    assert len(repairs(tmp_path)) == 1
    again.close()
    connection.close()


def test_where_nobody_answers_a_repair_is_tried_with_growing_pauses(monitor: Monitor, tmp_path: Path) -> None:
    monitor.start("sleep", "100", options=repaired_by(tmp_path, "exit 0"))
    assert eventually(lambda: len(repairs(tmp_path)) == 5)
    times = repairs(tmp_path)
    pauses = [later - earlier for earlier, later in itertools.pairwise(times)]
    for pause, least in zip(pauses, (0.15, 0.35, 0.75, 1.5), strict=True):
        assert pause >= least, pauses


def test_a_repair_that_fails_is_tried_again(monitor: Monitor, tmp_path: Path, listener: socket.socket) -> None:
    monitor.start("sleep", "100", options=repaired_by(tmp_path, f"test $(wc -l <{tmp_path}/repairs) = 3"))
    connection, _ = listener.accept()
    connection.close()
    again, _ = listener.accept()
    assert len(repairs(tmp_path)) == 3
    again.close()


def test_the_end_of_the_container_ends_a_repair(monitor: Monitor, tmp_path: Path) -> None:
    monitor.start("sleep", "100", options=repaired_by(tmp_path, f"echo $$ >{tmp_path}/pid; exec sleep 77"))
    assert eventually(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text() != "")
    pid = int((tmp_path / "pid").read_text())
    os.kill(monitor.child, signal.SIGKILL)
    monitor.wait()
    assert eventually(lambda: not Path(f"/proc/{pid}").exists() or "Z" in Path(f"/proc/{pid}/stat").read_text().split()[2])


def test_a_path_that_is_too_long_for_an_address(monitor: Monitor, tmp_path: Path) -> None:
    directory = tmp_path / ("d" * 120)
    directory.mkdir()
    fd = os.open(directory, os.O_PATH)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as made:
        made.bind(f"/proc/self/fd/{fd}/netd.sock")
        os.close(fd)
        made.listen(8)
        made.settimeout(60)
        monitor.start("sleep", "100", options=("--netd", str(directory / "netd.sock"), "--repair", "true"))
        made.accept()[0].close()


def test_without_netd_nothing_is_repaired(monitor: Monitor, tmp_path: Path) -> None:
    monitor.start("sleep", "100", options=("--repair", "touch", "--repair", str(tmp_path / "repairs")))
    time.sleep(0.5)
    assert not (tmp_path / "repairs").exists()
