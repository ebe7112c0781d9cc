"""How many requests are served at a time: those at work, and those that mostly wait."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

from tests.api.test_service import next_worker, workers
from tests.harness import processes
from tests.harness.api import PATIENCE_S, Service
from tests.harness.command import Rootless


def sending(service: Service) -> socket.socket:
    """A request that is at work for as long as its client likes: its body does not end."""
    while True:
        sock = service.connect()
        sock.sendall(
            b"POST /auth HTTP/1.1\r\nHost: docker\r\nContent-Type: application/json\r\nExpect: 100-continue\r\n"
            b"Content-Length: 9\r\n\r\n"
        )
        said = b""
        while not said.endswith(b"\r\n\r\n"):
            said += sock.recv(1)
        if said.startswith(b"HTTP/1.1 100"):
            return sock
        assert said.startswith(b"HTTP/1.1 503")  # what was asked before may just be ending
        sock.close()


def served(service: Service) -> None:
    """Wait until there is a place for one more request at work."""
    processes.wait_until(lambda: service("GET", "/plugins", status=None).status == 200, "a place")


def test_more_requests_than_workers_are_503(rootless: Rootless) -> None:
    service = Service(rootless, "--workers", "2")
    held = [sending(service) for _ in range(2)]
    answer = service("GET", "/plugins", status=503)
    assert "limit" in answer.message
    assert service("GET", "/_ping").body == b"OK"  # what the front answers itself it always does
    for sock in held:
        sock.close()
    served(service)
    assert service.stop() == 0


def test_who_only_waits_keeps_nobody_from_being_served(rootless: Rootless) -> None:
    """A monitoring tool with a `wait` for each container, a compose with logs of a hundred: `stop` is answered all the same."""
    service = Service(rootless, "--workers", "1")
    streams = [service.open("GET", "/events") for _ in range(4)]
    held = sending(service)
    service("GET", "/plugins", status=503)
    held.close()
    served(service)
    for stream in streams:
        stream.close()
    assert service.stop() == 0


LIMITED = """
import sys
from rootless.api.http import limits
from rootless.api.server import front, listener, pool, zygote
from rootless.api.server.ends import Ends
limits.STALLED_S = int(sys.argv[2])
pool.WARM_S = float(sys.argv[4])
ends, where = Ends(), listener.bind(sys.argv[1])
wire = zygote.start(lambda: (where.sock.close(), ends.forget()))
front.Front(where, wire, ends, front.Settings(workers=int(sys.argv[5]), streams=int(sys.argv[3]))).run()
"""


def limited(rootless: Rootless, *, stalled_s: int = 600, streams: int = 9, warm_s: float = 2, workers: int = 2, **env: str) -> Service:
    """A service with limits that a test can reach. A request counts until its worker has said that it is over, which may be
    after its client has the answer."""
    path = rootless.sockets / "docker.sock"
    path.parent.mkdir(mode=0o700, exist_ok=True)
    argv = [sys.executable, "-c", LIMITED, str(path), str(stalled_s), str(streams), str(warm_s), str(workers)]
    server = subprocess.Popen(argv, env={**rootless.environment, **env}, stderr=subprocess.PIPE)
    rootless.started.append(server)
    service = Service.__new__(Service)
    service.rootless, service.path, service.process = rootless, path, server
    service._await()
    return service


def test_waits_and_streams_have_a_limit_too(rootless: Rootless) -> None:
    service = limited(rootless, streams=1)
    stream = service.open("GET", "/events")
    assert "streams and waits" in service("GET", "/events", status=503).message
    assert service("GET", "/plugins").json == []
    stream.close()
    while (again := service.open("GET", "/events")).status == 503:
        again.read()
    again.close()
    assert service.stop() == 0


def test_a_client_that_stalls_has_gone(rootless: Rootless, busybox_image: str) -> None:
    """One that does not send the body that it has promised, and one that does not take what it asked for; who waits for news
    may wait."""
    service = limited(rootless, stalled_s=1)
    waits = service.open("GET", "/events")
    with sending(service) as sends, service.connect() as takes:
        takes.sendall(f"GET /v1.44/images/{busybox_image}/get HTTP/1.1\r\nHost: docker\r\n\r\n".encode())
        assert takes.recv(12) == b"HTTP/1.1 200"
        assert sends.recv(4096) == b""
        served(service)
        held = sending(service)
        served(service)  # at the place of the other one
        held.close()
    service.rootless("volume", "create", "news")
    assert b'"news"' in waits.readline()
    waits.close()
    assert service.stop() == 0


def test_who_has_only_read_answers_again_and_who_has_changed_something_does_not(rootless: Rootless) -> None:
    """A worker that was killed while it waited is replaced as well."""
    service = limited(rootless, warm_s=600, workers=9)
    reader = next_worker(service)
    for _ in range(3):
        assert service("GET", "/volumes").json["Volumes"] == []
    assert reader in workers(service)
    service("GET", "/volumes/none", status=404)
    service("GET", "/containers/json?filters=%FF", status=400)
    assert reader in workers(service)
    pidfd = os.pidfd_open(reader)
    service("POST", "/volumes/create", {"Name": "change"}, status=201)
    processes.wait_ended(pidfd)
    os.close(pidfd)
    assert [each["Name"] for each in service("GET", "/volumes").json["Volumes"]] == ["change"]
    service.rootless("volume", "rm", "change")
    assert service("GET", "/volumes").json["Volumes"] == []
    for pidfd in [os.pidfd_open(worker) for worker in workers(service)]:
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        processes.wait_ended(pidfd)
        os.close(pidfd)
    assert service("GET", "/volumes").json["Volumes"] == []
    assert service.stop() == 0


def test_a_worker_that_answers_again_reads_the_users_own_defaults_again(rootless: Rootless, tmp_path: Path) -> None:
    """What it had read for one request stood for all that it answered, one that makes a container among them."""
    service = limited(rootless, warm_s=600, workers=9, XDG_CONFIG_HOME=str(tmp_path))
    file = tmp_path / "rootless" / "config.toml"
    file.parent.mkdir()
    reader = next_worker(service)
    for text, said in (("", "error"), ('limits = "warn"\n', "warn")):
        file.write_text(text)
        file.chmod(0o600)
        found = service("GET", "/info").json["UserConfig"]
        assert {row["Key"]: row["Value"] for row in found["Values"]}["limits"] == said
    assert reader in workers(service)
    assert service.stop() == 0


def test_a_worker_forked_for_a_request_keeps_no_connection(service: Service) -> None:
    """One that took the place of a killed one, while a request was there, kept a second socket of that client."""
    waiting = next_worker(service)
    zygote, pidfd = processes.table()[waiting].parent, os.pidfd_open(waiting)
    stopped = os.pidfd_open(zygote)
    signal.pidfd_send_signal(stopped, signal.SIGSTOP)
    processes.wait_until(lambda: processes.table()[zygote].state == "T", "the zygote has stopped")
    signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    processes.wait_ended(pidfd)
    with service.connect() as sock:
        sock.settimeout(PATIENCE_S)
        sock.sendall(b"GET /volumes HTTP/1.1\r\nHost: docker\r\n\r\n")
        service("GET", "/_ping")  # by then the front has handed the request over
        signal.pidfd_send_signal(stopped, signal.SIGCONT)
        answer = b""
        while not answer.endswith(b"}\n"):
            answer += sock.recv(4096)
        stream = service.open("GET", "/events")  # the same worker, for as long as we like
        sock.shutdown(socket.SHUT_WR)
        assert sock.recv(1) == b""
    stream.close()
    os.close(pidfd)
    os.close(stopped)
