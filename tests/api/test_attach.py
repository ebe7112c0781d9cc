"""Attach and wait, in the order of `docker run`: attached to the created container, waiting, started."""

from __future__ import annotations

import json
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.harness import processes
from tests.harness.api import Make, Service, frames, start


def hijack(service: Service, path: str, *, body: bytes = b"", upgrade: bool = True) -> tuple[socket.socket, bytes]:
    """A POST that leaves HTTP; the socket, and the head of the answer."""
    sock = service.connect()
    more = b"Connection: Upgrade\r\nUpgrade: tcp\r\n" if upgrade else b""
    kind = b"Content-Type: application/json\r\n" if body else b""
    sock.sendall(
        b"POST /v1.44%s HTTP/1.1\r\nHost: docker\r\n%s%sContent-Length: %d\r\n\r\n%s" % (path.encode(), more, kind, len(body), body)
    )
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = sock.recv(1)
        assert byte, head
        head += byte
    return sock, head


def rest(sock: socket.socket) -> bytes:
    with sock:
        found = b""
        while data := sock.recv(65536):
            found += data
        return found


ALL = "stream=1&stdin=1&stdout=1&stderr=1"


def test_what_runs_is_seen_from_its_first_byte(service: Service, make: Make) -> None:
    identifier = make("sh", "-c", "echo one; echo two >&2", AttachStdout=True, AttachStderr=True)
    sock, head = hijack(service, f"/containers/{identifier}/attach?stream=1&stdout=1&stderr=1")
    assert head.startswith(b"HTTP/1.1 101 UPGRADED\r\n")
    assert b"Connection: Upgrade\r\nUpgrade: tcp\r\n" in head
    assert b"Content-Type: application/vnd.docker.multiplexed-stream\r\n" in head
    assert b"Api-Version: 1.44\r\n" in head
    sock.shutdown(socket.SHUT_WR)  # the docker command does, without -i
    start(service, identifier)
    assert sorted(frames(rest(sock))) == [(1, b"one\n"), (2, b"two\n")]


def test_without_an_upgrade_it_is_a_bare_200(service: Service, make: Make) -> None:
    identifier = make("echo", "x")
    sock, head = hijack(service, f"/containers/{identifier}/attach?stream=1&stdout=1", upgrade=False)
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"content-length" not in head.lower()
    assert b"transfer-encoding" not in head.lower()
    start(service, identifier)
    assert frames(rest(sock)) == [(1, b"x\n")]


def test_input_and_its_end_are_passed_on(service: Service, make: Make) -> None:
    identifier = make("sh", "-c", "cat; echo over", OpenStdin=True, StdinOnce=True, AttachStdin=True)
    sock, _ = hijack(service, f"/containers/{identifier}/attach?{ALL}")
    sock.sendall(b"early ")
    start(service, identifier)
    sock.sendall(b"late\n")
    sock.shutdown(socket.SHUT_WR)
    assert b"".join(data for _, data in frames(rest(sock))) == b"early late\nover\n"


def test_more_output_than_input(service: Service, make: Make) -> None:
    """Each byte comes back twice: nobody waits for ever for who waits for him."""
    data = bytes(range(64)) * 200_000
    identifier = make("tee", "/dev/stderr", OpenStdin=True, StdinOnce=True, AttachStdin=True)
    sock, _ = hijack(service, f"/containers/{identifier}/attach?{ALL}")
    start(service, identifier)

    def send() -> None:
        sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)

    with ThreadPoolExecutor() as pool:
        sent = pool.submit(send)
        found = frames(rest(sock))
        sent.result(60)
    for stream in (1, 2):
        assert b"".join(part for each, part in found if each == stream) == data


def test_a_terminal_is_raw_and_detached_by_its_keys(service: Service, make: Make) -> None:
    identifier = make("sh", "-c", "read line; echo got $line; sleep 1000", Tty=True, OpenStdin=True)
    sock, head = hijack(service, f"/containers/{identifier}/attach?{ALL}&detachKeys=ctrl-x")
    assert b"raw-stream" in head
    start(service, identifier)
    sock.sendall(b"hi\n")
    said = b""
    while b"got hi" not in said:
        data = sock.recv(4096)
        assert data, said
        said += data
    sock.sendall(b"\x18")
    rest(sock)
    assert service("GET", f"/containers/{identifier}/json").json["State"]["Running"]


def test_streams_that_were_not_asked_for_do_not_come(service: Service, make: Make) -> None:
    identifier = make("sh", "-c", "echo out; echo err >&2")
    sock, _ = hijack(service, f"/containers/{identifier}/attach?stream=1&stderr=1")
    start(service, identifier)
    assert frames(rest(sock)) == [(2, b"err\n")]


def test_the_log_comes_first_where_it_is_asked_for(service: Service, make: Make) -> None:
    identifier = make("sh", "-c", "echo before; sleep 1000")
    start(service, identifier)
    processes.wait_until(lambda: service("GET", f"/containers/{identifier}/logs?stdout=1").body, "its first line")
    sock, _ = hijack(service, f"/containers/{identifier}/attach?logs=1&stdout=1")
    assert frames(rest(sock)) == [(1, b"before\n")]


def test_what_cannot_be_attached_to(service: Service, make: Make) -> None:
    service("POST", "/containers/nix/attach?stream=1", status=404)
    identifier = make()
    start(service, identifier)
    service("POST", f"/containers/{identifier}/pause", status=204)
    assert "paused" in service("POST", f"/containers/{identifier}/attach?stream=1&stdout=1", status=409).message
    service("POST", f"/containers/{identifier}/unpause", status=204)
    service("POST", f"/containers/{identifier}/attach?stream=1&detachKeys=nonsense", status=400)


def test_a_start_that_fails_ends_the_attachment(service: Service, make: Make) -> None:
    identifier = make("nonsense", HostConfig={"AutoRemove": True})
    sock, _ = hijack(service, f"/containers/{identifier}/attach?stream=1&stdout=1")
    wait = service.open("POST", f"/containers/{identifier}/wait?condition=removed")
    service("POST", f"/containers/{identifier}/start", status=400)
    assert rest(sock) == b""
    assert "StatusCode" in json.loads(wait.read())
    service("GET", f"/containers/{identifier}/json", status=404)


def test_a_client_that_vanishes_before_the_start_is_forgotten(service: Service, make: Make) -> None:
    identifier = make("echo", "x")
    sock, _ = hijack(service, f"/containers/{identifier}/attach?{ALL}")
    sock.close()
    start(service, identifier)
    assert service("POST", f"/containers/{identifier}/wait").json["StatusCode"] == 0


@pytest.mark.parametrize("condition", ["next-exit", "removed"])
def test_a_wait_is_registered_before_its_head_is_sent(service: Service, make: Make, condition: str) -> None:
    """The docker command starts nothing before it has the head."""
    identifier = make("sh", "-c", "exit 7", HostConfig={"AutoRemove": condition == "removed"})
    answer = service.open("POST", f"/containers/{identifier}/wait?condition={condition}")
    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/json")
    start(service, identifier)
    assert json.loads(answer.read()) == {"StatusCode": 7}
    if condition == "removed":
        service("GET", f"/containers/{identifier}/json", status=404)


def test_an_exit_of_before_is_no_next_exit(service: Service, make: Make) -> None:
    identifier = make("true")
    start(service, identifier)
    assert service("POST", f"/containers/{identifier}/wait").json == {"StatusCode": 0}
    again = service.open("POST", f"/containers/{identifier}/wait?condition=next-exit")
    assert service("POST", f"/containers/{identifier}/wait?condition=not-running").json == {"StatusCode": 0}
    start(service, identifier)
    assert json.loads(again.read()) == {"StatusCode": 0}
    service("POST", f"/containers/{identifier}/wait?condition=nonsense", status=400)
    service("POST", "/containers/nix/wait", status=404)


def exec_id(service: Service, container: str, *command: str, **more: Any) -> str:
    body = {"Cmd": [*command], "AttachStdout": True, "AttachStderr": True, **more}
    return str(service("POST", f"/containers/{container}/exec", body, status=201).json["Id"])


def test_an_exec_in_the_clients_order(service: Service, make: Make) -> None:
    """Made, started, resized, looked at."""
    container = make()
    assert "not running" in service("POST", f"/containers/{container}/exec", {"Cmd": ["true"]}, status=409).message
    start(service, container)
    made = exec_id(service, container, "sh", "-c", "echo out; echo err >&2; exit 3")
    before = service("GET", f"/exec/{made}/json").json
    assert (before["Running"], before["ExitCode"], before["ContainerID"]) == (False, None, container)
    sock, head = hijack(service, f"/exec/{made}/start", body=b'{"Detach":false,"Tty":false}')
    assert head.startswith(b"HTTP/1.1 101")
    assert sorted(frames(rest(sock))) == [(1, b"out\n"), (2, b"err\n")]
    after = service("GET", f"/exec/{made}/json").json
    assert (after["Running"], after["ExitCode"]) == (False, 3)
    assert service("POST", f"/exec/{made}/start", {}, status=409).message
    assert "No such exec instance" in service("GET", "/exec/nix/json", status=404).message
    service("POST", "/exec/../json/start", {}, status=404)


def test_an_exec_with_input_a_terminal_and_a_size(service: Service, make: Make) -> None:
    container = make()
    start(service, container)
    typed = exec_id(service, container, "cat", AttachStdin=True)
    sock, _ = hijack(service, f"/exec/{typed}/start", body=b"{}")
    sock.sendall(b"typed\n")
    sock.shutdown(socket.SHUT_WR)
    assert frames(rest(sock)) == [(1, b"typed\n")]
    tty = exec_id(service, container, "stty", "size", Tty=True, ConsoleSize=[33, 77])
    sock, head = hijack(service, f"/exec/{tty}/start", body=b'{"Tty":true}')
    assert b"raw-stream" in head
    assert rest(sock) == b"33 77\r\n"
    service("POST", f"/containers/{container}/exec", {"Cmd": ["true"], "ConsoleSize": [1]}, status=400)
    service("POST", f"/containers/{container}/exec", {"Cmd": []}, status=400)


def test_an_exec_without_streams_is_on_its_own(service: Service, make: Make) -> None:
    container = make()
    start(service, container)
    made = service("POST", f"/containers/{container}/exec", {"Cmd": ["touch", "/made"]}, status=201).json["Id"]
    service("POST", f"/exec/{made}/start", {})
    processes.wait_until(lambda: service("GET", f"/exec/{made}/json").json["ExitCode"] == 0, "its end")
    service("HEAD", f"/containers/{container}/archive?path=/made")


def test_an_exec_of_what_is_not_there(service: Service, make: Make) -> None:
    """The words are in the stream, and the exit status is what the docker command ends with."""
    container = make()
    start(service, container)
    made = exec_id(service, container, "nonsense")
    sock, _ = hijack(service, f"/exec/{made}/start", body=b"{}")
    assert b"executable file not found" in rest(sock)
    assert service("GET", f"/exec/{made}/json").json["ExitCode"] == 127


def test_events_have_all_labels(service: Service, make: Make) -> None:
    labels = {f"label{number}": "x" * 200 for number in range(20)}
    identifier = make(Labels=labels)
    stream = service.open("GET", "/events?filters=%7B%22event%22:%5B%22start%22%5D%7D")
    start(service, identifier)
    message = json.loads(stream.readline())
    stream.close()
    assert (message["status"], message["id"], message["from"]) == ("start", identifier, "busybox:latest")
    assert labels.items() <= message["Actor"]["Attributes"].items()
