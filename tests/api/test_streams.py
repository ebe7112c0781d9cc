"""What a container says and uses, by streams: logs, figures, its terminal's size."""

from __future__ import annotations

import http.client
import json
import socket

import pytest

from tests.harness import processes
from tests.harness.api import Make, Service, ended, frames, start


def test_logs_are_framed(service: Service, make: Make) -> None:
    identifier = make("sh", "-c", "echo one; echo two >&2; echo three")
    start(service, identifier)
    ended(service, identifier)
    refused = service("GET", f"/containers/{identifier}/logs", status=400)
    assert "you must choose at least one stream" in refused.message
    answer = service("GET", f"/containers/{identifier}/logs?stdout=1&stderr=1")
    assert answer.headers["content-type"] == "application/vnd.docker.multiplexed-stream"
    assert sorted(frames(answer.body)) == [(1, b"one\n"), (1, b"three\n"), (2, b"two\n")]
    assert frames(service("GET", f"/containers/{identifier}/logs?stdout=1&tail=1").body) == [(1, b"three\n")]
    for everything in ("all", "-1", "junk"):
        assert len(frames(service("GET", f"/containers/{identifier}/logs?stdout=1&stderr=1&tail={everything}").body)) == 3
    assert frames(service("GET", f"/containers/{identifier}/logs?stderr=1&until=0&since=0").body) == [(2, b"two\n")]
    assert service("GET", f"/containers/{identifier}/logs?stderr=1&until=1.5").body == b""
    ((_, line),) = frames(service("GET", f"/containers/{identifier}/logs?stderr=1&timestamps=1").body)
    moment, _, text = line.partition(b" ")
    assert (len(moment), text) == (len("2026-01-02T03:04:05.123456789Z"), b"two\n")
    old = service("GET", f"/v1.41/containers/{identifier}/logs?stderr=1")
    assert old.headers["content-type"] == "application/vnd.docker.raw-stream"


def test_logs_of_a_terminal_are_raw_and_followed_to_the_end(service: Service, make: Make) -> None:
    identifier = make("sh", "-c", "echo begun; sleep 2; echo done", Tty=True)
    start(service, identifier)
    answer = service("GET", f"/containers/{identifier}/logs?stdout=1&stderr=1&follow=1")
    assert answer.headers["content-type"] == "application/vnd.docker.raw-stream"
    assert answer.body == b"begun\r\ndone\r\n"


def test_a_slow_reader_slows_itself_alone(service: Service, make: Make) -> None:
    identifier = make("sh", "-c", "yes | head -c 3000000; sleep 1000")
    start(service, identifier)
    with service.connect() as sock:
        sock.sendall(b"GET /containers/%s/logs?stdout=1&follow=1 HTTP/1.1\r\nHost: x\r\n\r\n" % identifier.encode())
        assert sock.recv(12) == b"HTTP/1.1 200"
        assert service("GET", "/containers/json").json[0]["State"] == "running"
        sock.shutdown(socket.SHUT_WR)
        got = 0
        while got < 1_000_000:
            got += len(sock.recv(65536))


def test_stats(service: Service, make: Make) -> None:
    identifier = make("sh", "-c", "while :; do :; done")
    start(service, identifier)
    one = service("GET", f"/containers/{identifier}/stats?stream=0").json
    assert one["id"] == identifier
    assert one["name"].startswith("/")
    used = one["cpu_stats"]["cpu_usage"]["total_usage"] - one["precpu_stats"]["cpu_usage"]["total_usage"]
    whole = one["cpu_stats"]["system_cpu_usage"] - one["precpu_stats"]["system_cpu_usage"]
    assert used > 0
    assert whole > 0
    assert one["cpu_stats"]["online_cpus"] >= 1
    assert one["memory_stats"]["limit"] > one["memory_stats"]["usage"] > 0
    assert one["memory_stats"]["stats"]["inactive_file"] == 0
    assert one["pids_stats"]["current"] >= 1
    quick = service("GET", f"/containers/{identifier}/stats?stream=0&one-shot=1").json
    assert quick["precpu_stats"]["cpu_usage"]["total_usage"] == 0
    stream = service.open("GET", f"/containers/{identifier}/stats")
    assert [json.loads(stream.readline())["id"] for _ in range(2)] == [identifier] * 2
    stream.close()


def test_stats_of_what_does_not_run(service: Service, make: Make) -> None:
    one = service("GET", f"/containers/{make()}/stats?stream=0").json
    assert one["read"] == "0001-01-01T00:00:00Z"
    assert one["memory_stats"] == {}


def test_top(service: Service, make: Make) -> None:
    identifier = make("sleep", "77")
    assert "is not running" in service("GET", f"/containers/{identifier}/top", status=409).message
    start(service, identifier)
    found = service("GET", f"/containers/{identifier}/top").json
    assert "PID" in found["Titles"]
    assert found["Processes"][0][-1] == "sleep 77"
    assert service("GET", f"/containers/{identifier}/top?ps_args=-o%20pid,comm").json["Titles"] == ["PID", "COMMAND"]


def test_resize_is_of_what_runs(service: Service, make: Make) -> None:
    identifier = make("sh", "-c", "trap 'stty size' WINCH; while :; do sleep 0.1; done", Tty=True)
    assert "is not running" in service("POST", f"/containers/{identifier}/resize?h=10&w=20", status=409).message
    start(service, identifier)
    service("POST", f"/containers/{identifier}/resize?h=-1&w=20", status=400)

    def asked() -> bool:
        service("POST", f"/containers/{identifier}/resize?h=33&w=77", status=None)
        service("POST", f"/containers/{identifier}/resize?h=34&w=78", status=None)
        return b"78" in service("GET", f"/containers/{identifier}/logs?stdout=1").body

    processes.wait_until(asked, "the terminal's new size")


def test_an_interrupted_stream_is_seen_as_one(service: Service, make: Make) -> None:
    """A body without its end is an error at the client: nobody takes half of a log for all of it."""
    identifier = make("sh", "-c", "echo x; sleep 1000")
    start(service, identifier)
    stream = service.open("GET", f"/containers/{identifier}/logs?stdout=1&follow=1")
    assert stream.read(10) == b"\x01\0\0\0\0\0\0\x02x\n"
    service.process.terminate()
    service.process.wait()
    with pytest.raises(http.client.IncompleteRead):
        stream.read()
    stream.close()
    service.rootless("rm", "-f", identifier)
