"""The monitor: streams, clients, the end."""

from __future__ import annotations

import os
import re
import signal
import time
from functools import partial
from pathlib import Path

from tests.native.monitored import (
    PAYLOAD,
    STDIN,
    STDIN_END,
    Client,
    Monitor,
    cpu_ticks,
    eventually,
    finish_together,
    has_sockets,
    joined,
)


def test_output_status_and_record(monitor: Monitor) -> None:
    client = monitor.start("sh", "-c", "echo out; echo err >&2; exit 3", client=True).client
    assert client is not None
    client.finish()
    assert (client.stdout, client.stderr, client.status) == (b"out\n", b"err\n", 3 << 8)
    assert monitor.wait() == 0
    record = monitor.exit_json()
    assert (record["pid"], record["start_time"], record["status"]) == (monitor.child, 4711, 3 << 8)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z", record["finished_at"])
    parsed = time.strptime(record["finished_at"][:19], "%Y-%m-%dT%H:%M:%S")
    assert abs(time.mktime(parsed) - time.mktime(time.gmtime())) < 60
    assert sorted(monitor.log()) == [("stderr", "F", "err"), ("stdout", "F", "out")]
    assert not (monitor.dir / ".exit.json.new").exists()


def test_death_by_signal(monitor: Monitor) -> None:
    monitor.start("sleep", "100", client=True)
    os.kill(monitor.child, signal.SIGKILL)
    assert monitor.client is not None
    assert monitor.client.finish().status == signal.SIGKILL
    monitor.wait()
    assert monitor.exit_json()["status"] == signal.SIGKILL


def test_child_that_ended_before_the_monitor_came(monitor: Monitor) -> None:
    monitor.start("sh", "-c", "echo early; exit 7", client=True, delay_s=0.3)
    assert monitor.client is not None
    client = monitor.client.finish()
    assert (client.stdout, client.status) == (b"early\n", 7 << 8)
    monitor.wait()
    assert monitor.exit_json()["status"] == 7 << 8


def test_ten_megabytes_through_every_client(monitor: Monitor) -> None:
    monitor.start("sh", "-c", "read go; seq 1 1500000", options=("--log-max-size", "0"))
    clients = [monitor.attach() for _ in range(3)]
    eventually(partial(has_sockets, monitor.pid, 4))
    clients[0].send(STDIN, b"go\n")
    expected = b"".join(b"%d\n" % number for number in range(1, 1500001))
    assert len(expected) > 10_000_000
    finish_together(clients)
    for client in clients:
        assert client.stdout == expected
    monitor.wait()
    assert [text for _, tag, text in joined(monitor.log())] == expected.decode().splitlines()


def test_slow_client_holds_the_output_back_and_loses_nothing(monitor: Monitor, tmp_path: Path) -> None:
    done = tmp_path / "done"
    monitor.start("sh", "-c", f"read go; seq 1 200000; : > {done}; sleep 100")
    slow, fast = monitor.attach(), monitor.attach()
    eventually(partial(has_sockets, monitor.pid, 3))
    fast.send(STDIN, b"\n")
    time.sleep(0.7)
    assert not done.exists()
    expected = b"".join(b"%d\n" % number for number in range(1, 200001))
    while len(slow.stdout) < len(expected):
        slow.receive()
        while len(fast.stdout) < len(slow.stdout):
            fast.receive()
    assert slow.stdout == fast.stdout == expected
    eventually(done.exists)


FILL = """
import os, sys, time
sys.stdin.readline()
os.set_blocking(1, False)
refused = count = 0
while refused < 10:
    try:
        os.write(1, b"%07d\\n" % count)
        count, refused = count + 1, 0
    except BlockingIOError:
        refused += 1
        time.sleep(0.03)
"""


def test_stuck_client_does_not_hold_back_the_record(monitor: Monitor) -> None:
    monitor.start("python3", "-c", FILL)  # writes until nothing moves any more, then ends
    stuck, other = monitor.attach(), monitor.attach()
    eventually(partial(has_sockets, monitor.pid, 3))
    other.send(STDIN, b"\n")
    eventually((monitor.dir / "exit.json").exists)
    assert monitor.exit_json()["status"] == 0
    finish_together([stuck, other])
    assert stuck.stdout == other.stdout
    lines = stuck.stdout.decode().split()
    assert lines == [f"{number:07}" for number in range(len(lines))]
    monitor.wait()
    assert [text for _, _, text in joined(monitor.log())] == lines


def test_idle_monitor_uses_no_time(monitor: Monitor) -> None:
    monitor.start("sleep", "100", client=True)
    client = monitor.attach()
    client.send(STDIN, b"x" * PAYLOAD)  # nobody reads this
    for _ in range(4):
        client.send(STDIN, b"y" * PAYLOAD)
    time.sleep(0.2)
    client.close()  # with messages unread: hung up, and waiting
    before = cpu_ticks(monitor.pid)
    time.sleep(1)
    assert cpu_ticks(monitor.pid) - before <= 1


def test_killed_client_in_the_middle(monitor: Monitor) -> None:
    monitor.start("sh", "-c", "read go; seq 1 300000; cat >/dev/null; exit 4", options=("--keep-stdin",))
    ready, tell = os.pipe()
    victim = os.fork()
    if victim == 0:
        client = monitor.attach()
        client.send(STDIN, b"\n")
        client.receive()
        os.write(tell, b"x")
        time.sleep(100)
        os._exit(0)
    os.read(ready, 1)
    other = monitor.attach()
    os.kill(victim, signal.SIGKILL)
    os.waitpid(victim, 0)
    other.until(lambda client: client.stdout.endswith(b"\n300000\n"))
    os.kill(monitor.child, signal.SIGTERM)
    assert other.finish().status == signal.SIGTERM
    monitor.wait()
    assert monitor.log()[-1] == ("stdout", "F", "300000")


def test_stdin_ends_with_the_first_end(monitor: Monitor) -> None:
    client = monitor.start("sh", "-c", "cat; echo end", client=True).client
    assert client is not None
    payload = os.urandom(3 * PAYLOAD)
    for at in range(0, len(payload), PAYLOAD):
        client.send(STDIN, payload[at : at + PAYLOAD])
    client.send(STDIN_END)
    assert client.finish().stdout == payload + b"end\n"


def test_stdin_ends_with_its_client(monitor: Monitor) -> None:
    monitor.start("sh", "-c", "cat; echo end", client=True)
    watcher = monitor.attach()
    viewer = monitor.attach()
    viewer.close()  # never sent any input: its end means nothing
    assert monitor.client is not None
    monitor.client.send(STDIN, b"some\n")
    watcher.until(lambda client: client.stdout == b"some\n")
    monitor.client.close()
    assert watcher.finish().stdout == b"some\nend\n"


def test_keep_stdin_outlives_clients(monitor: Monitor) -> None:
    monitor.start("cat", options=("--keep-stdin",))
    for number in range(3):
        client = monitor.attach()
        client.send(STDIN, b"%d\n" % number)
        client.until(lambda client, number=number: client.stdout == b"%d\n" % number)  # type: ignore[misc]
        client.send(STDIN_END)
        client.close()
    os.kill(monitor.child, signal.SIGTERM)
    monitor.wait()
    assert [text for _, _, text in monitor.log()] == ["0", "1", "2"]


def test_who_typed_first_is_heard_first(monitor: Monitor) -> None:
    """Also where the monitor had no time before the next one came."""
    monitor.start("cat", options=("--keep-stdin",))
    os.kill(monitor.pid, signal.SIGSTOP)
    clients = [monitor.attach() for _ in range(5)]
    for number, client in enumerate(clients[:4]):
        client.send(STDIN, b"%d\n" % number)
        client.close()
    os.kill(monitor.pid, signal.SIGCONT)
    clients[4].until(lambda client: client.stdout == b"0\n1\n2\n3\n")


def test_container_that_closes_its_stdin(monitor: Monitor) -> None:
    client = monitor.start("sh", "-c", "exec <&-; echo closed; sleep 0.3; exit 5", client=True).client
    assert client is not None
    client.until(lambda client: client.stdout == b"closed\n")
    for _ in range(20):
        client.send(STDIN, b"x" * PAYLOAD)
    assert client.finish().status == 5 << 8


def test_stray_holder_of_the_pipes_is_not_awaited(monitor: Monitor) -> None:
    script = "setsid sleep 1000 & echo $!; exit 1"
    client = monitor.start("sh", "-c", script, client=True).client
    assert client is not None
    client.finish()
    stray = int(client.stdout)
    try:
        assert client.status == 1 << 8
        monitor.wait()
        os.kill(stray, 0)  # it is there still
    finally:
        os.kill(stray, signal.SIGKILL)


def test_bad_packets_end_only_their_client(monitor: Monitor) -> None:
    monitor.start("cat", client=True)
    for packet in (b"\x77", b"\x02\x01", b"\x00" + b"x" * (PAYLOAD + 1)):
        bad = monitor.attach()
        bad.socket.send(packet)
        assert bad.socket.recv(10) == b""
    assert monitor.client is not None
    monitor.client.send(STDIN, b"fine\n")
    monitor.client.until(lambda client: client.stdout == b"fine\n")


def test_many_clients(monitor: Monitor) -> None:
    monitor.start("sh", "-c", "read go; echo hello; read go")
    clients: list[Client] = []
    for number in range(50):
        clients.append(monitor.attach())
        eventually(partial(has_sockets, monitor.pid, number + 2))
    clients[7].send(STDIN, b"\n")
    for client in clients:
        client.until(lambda client: client.stdout == b"hello\n")
    for client in clients[::2]:
        client.close()
    clients[7].send(STDIN, b"\n")
    for client in clients[1::2]:
        assert client.finish().status == 0
