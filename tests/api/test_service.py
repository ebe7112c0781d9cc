"""The service as processes: who may connect, how many at a time, when it ends, and what its end is to others."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.harness import processes
from tests.harness.api import PATIENCE_S, Service
from tests.harness.command import Rootless


def workers(service: Service) -> set[int]:
    """The children of the zygote: those that answer a request, and those that wait for one."""
    every = processes.descendants().values()
    zygote = next((each.pid for each in every if each.parent == service.process.pid), 0)
    return {each.pid for each in every if zygote and each.parent == zygote}


def next_worker(service: Service) -> int:
    """The one that will answer the next request, of a service that has answered none yet."""
    processes.wait_until(lambda: len(workers(service)) == 1, "the first worker")
    (worker,) = workers(service)
    return worker


def test_the_socket_is_private_and_removed_at_the_end(rootless: Rootless) -> None:
    service = Service(rootless)
    status = os.lstat(service.path)
    assert stat.S_ISSOCK(status.st_mode)
    assert stat.S_IMODE(status.st_mode) == 0o600
    assert stat.S_IMODE(os.lstat(service.path.parent).st_mode) == 0o700
    known = rootless.runtime / "docker.sock"
    assert os.readlink(known) == str(service.path)
    assert service.stop() == 0
    assert not os.path.lexists(service.path)
    assert not os.path.lexists(known)


def test_a_file_of_the_users_keeps_the_well_known_name(rootless: Rootless) -> None:
    known = rootless.runtime / "docker.sock"
    known.write_text("mine")
    service = Service(rootless)
    assert service.stop() == 0
    assert known.read_text() == "mine"


def test_a_second_service_does_not_take_the_socket(service: Service) -> None:
    refused = service.rootless("system", "service", status=1)
    assert "listens on" in refused.stderr
    assert service("GET", "/_ping").body == b"OK"


def test_what_a_killed_service_left_is_replaced(rootless: Rootless) -> None:
    first = Service(rootless)
    first.process.send_signal(signal.SIGKILL)
    first.process.wait(PATIENCE_S)
    assert os.path.lexists(first.path)
    second = Service(rootless)
    assert second("GET", "/_ping").body == b"OK"
    assert second.stop() == 0


def test_a_killed_service_takes_its_zygote_along(rootless: Rootless) -> None:
    service = Service(rootless)
    service("GET", "/plugins")
    zygote = next(each for each in processes.descendants().values() if each.parent == service.process.pid)
    pidfd = os.pidfd_open(zygote.pid)
    service.process.send_signal(signal.SIGKILL)
    service.process.wait(PATIENCE_S)
    processes.wait_ended(pidfd)
    os.close(pidfd)


def test_without_its_zygote_the_service_ends_with_an_error(rootless: Rootless) -> None:
    service = Service(rootless)
    zygote = next(each for each in processes.descendants().values() if each.parent == service.process.pid)
    os.kill(zygote.pid, signal.SIGKILL)
    assert service.process.wait(PATIENCE_S) == 1
    assert b"lost the process" in service.process.stderr.read()  # type: ignore[union-attr]
    assert not os.path.lexists(service.path)


def test_a_killed_worker_ends_its_own_connection_alone(service: Service) -> None:
    worker = next_worker(service)
    stream = service.open("GET", "/events")
    os.kill(worker, signal.SIGKILL)
    with pytest.raises(http.client.IncompleteRead):
        stream.read()
    stream.close()
    assert service("GET", "/plugins").json == []


def test_no_worker_is_kept_that_has_answered_long_ago(service: Service) -> None:
    pidfd = os.pidfd_open(next_worker(service))
    service("GET", "/volumes")
    processes.wait_ended(pidfd)
    os.close(pidfd)
    processes.wait_until(lambda: len(workers(service)) == 1, "one that waits, and has answered nothing")


def test_a_stream_ends_with_its_client(service: Service) -> None:
    pidfd = os.pidfd_open(next_worker(service))
    with service.connect() as sock:
        sock.sendall(b"GET /events HTTP/1.1\r\nHost: docker\r\n\r\n")
        assert sock.recv(12) == b"HTTP/1.1 200"
    processes.wait_ended(pidfd)
    os.close(pidfd)


def test_half_a_close_is_no_end(service: Service) -> None:
    """`docker run` without -i shuts its writing side down at once, and reads on."""
    with service.connect() as sock:
        sock.sendall(b"GET /events HTTP/1.1\r\nHost: docker\r\n\r\n")
        sock.shutdown(socket.SHUT_WR)
        assert sock.recv(12) == b"HTTP/1.1 200"
        service.rootless("volume", "create", "half")
        said = b""
        while b'"half"' not in said:
            data = sock.recv(4096)
            assert data, said
            said += data


def test_an_idle_service_ends_and_one_with_a_stream_does_not(rootless: Rootless) -> None:
    service = Service(rootless, "--time", "1")
    stream = service.open("GET", "/events")
    idle = service.connect()  # who only waits for its next request does not count
    try:
        processes.pause(2.5)
        assert service.process.poll() is None
        stream.close()
        assert service.process.wait(PATIENCE_S) == 0
        assert idle.recv(1) == b""
    finally:
        idle.close()
    assert not os.path.lexists(service.path)


def test_ten_thousand_idle_connections_are_borne(service: Service) -> None:
    """As many as we may open; the service has its own limit."""
    import resource

    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = min(10_000, before[1] - 100)
    resource.setrlimit(resource.RLIMIT_NOFILE, (before[1], before[1]))
    held: list[socket.socket] = []
    try:
        for _ in range(most):
            held.append(socket.socket(socket.AF_UNIX))
            held[-1].connect(str(service.path))
        assert service("GET", "/plugins").json == []
        held[-1].sendall(b"GET /_ping HTTP/1.1\r\nHost: docker\r\n\r\n")
        assert held[-1].recv(12) == b"HTTP/1.1 200"
    finally:
        for sock in held:
            sock.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


OTHER = """
import os, socket, sys
os.setgroups([]); os.setresgid(5, 5, 5); os.setresuid(5, 5, 5)
sock = socket.socket(socket.AF_UNIX)
try:
    sock.connect(sys.argv[1])
    sock.sendall(b"GET /_ping HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n")
    print(sock.recv(100))
except OSError as error:
    print(type(error).__name__)
"""


def test_another_uid_is_not_answered(service: Service, tmp_path: Path) -> None:
    """Neither by the mode of the socket, nor where that lets it in: a container's ids are others than its caller's."""
    refused = service.rootless("unshare", sys.executable, "-c", OTHER, str(service.path))
    assert refused.stdout.strip() == "PermissionError"
    open_to_all = service.rootless.runtime / "open"
    open_to_all.mkdir()
    service.rootless.runtime.chmod(0o711)
    open_to_all.chmod(0o755)
    path = open_to_all / "api.sock"
    second = service.rootless.start("system", "service", "--address", f"unix://{path}")
    while not path.exists():
        assert second.poll() is None
        processes.pause(0.05)
    path.chmod(0o666)
    found = service.rootless("unshare", sys.executable, "-c", OTHER, str(path))
    assert found.stdout.strip() in ("b''", "ConnectionResetError", "BrokenPipeError")
    own = service.rootless("unshare", sys.executable, "-c", OTHER.replace("(5, 5, 5)", "(0, 0, 0)"), str(path))
    assert "200 OK" in own.stdout
    second.send_signal(signal.SIGTERM)
    assert second.wait(PATIENCE_S) == 0
    service.rootless.runtime.chmod(0o700)


def test_it_listens_nowhere_else(rootless: Rootless, tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    refused = rootless("system", "service", "--address", f"unix://{shared}/x.sock", status=1)
    assert "others could put a socket of their own in its place" in refused.stderr
    refused = rootless("system", "service", "--address", "tcp://127.0.0.1:2375", status=1)
    assert "Unix sockets only" in refused.stderr
    refused = rootless("system", "service", "--address", "unix://relative", status=1)
    assert "absolute" in refused.stderr


def test_a_socket_that_systemd_hands_over(rootless: Rootless) -> None:
    path = rootless.runtime / "activated.sock"
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(path))
    listening.listen()
    argv = ["sh", "-c", 'export LISTEN_PID=$$ LISTEN_FDS=1; exec "$@" 3<&0 0</dev/null', "sh", *rootless.argv]
    server = subprocess.Popen(
        [*argv, "system", "service", "--time", "1"], env=rootless.environment, stdin=listening.fileno(), stderr=subprocess.PIPE
    )
    rootless.started.append(server)
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(PATIENCE_S)
        sock.connect(str(path))
        sock.sendall(b"GET /plugins HTTP/1.1\r\nHost: x\r\n\r\n")
        assert sock.recv(12) == b"HTTP/1.1 200"
    assert server.wait(PATIENCE_S) == 0
    assert path.exists(), "the socket is systemd's"
    listening.close()


def test_dial_stdio_joins_streams_to_the_socket(service: Service) -> None:
    """As `docker -H ssh://` runs it: the request ends before its answer comes."""
    asked = b"GET /plugins HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n\r\n"
    done = service.rootless("system", "dial-stdio", stdin=asked)
    assert done.raw.startswith(b"HTTP/1.1 200 OK")
    assert done.raw.endswith(b"[]\n")


def test_dial_stdio_without_a_service_says_what_to_do(rootless: Rootless) -> None:
    refused = rootless("system", "dial-stdio", status=1)
    assert "no service listens" in refused.stderr
    assert "rootless system service" in refused.stderr


def test_print_env_is_a_word_of_the_shells(rootless: Rootless, tmp_path: Path) -> None:
    """Whatever the directory is called: who sets XDG_RUNTIME_DIR, or names an address, runs nothing by it."""
    address = f"unix://{tmp_path}/a $(touch {tmp_path}/made) b;c'd/docker.sock"
    printed = rootless("system", "service", "--address", address, "--print-env").stdout
    told = subprocess.run(["sh", "-c", 'eval "$1"; printf %s "$DOCKER_HOST"', "sh", printed], capture_output=True, text=True, check=True)
    assert told.stdout == address
    assert not (tmp_path / "made").exists()


def test_print_env_is_for_eval(service: Service) -> None:
    assert service.rootless("system", "service", "--print-env").stdout == f"export DOCKER_HOST={service.host}\n"


def test_the_units(rootless: Rootless) -> None:
    from rootless.api import install
    from rootless.storage.store import Store

    socket_unit = install.socket_unit()
    assert "ListenStream=%t/docker.sock\nSocketMode=0600" in socket_unit
    unit = install.service_unit(Store(str(rootless.root), "/run/x"))
    assert f'Environment="ROOTLESS_ROOT={rootless.root}"' in unit
    assert "KillMode=process" in unit
    assert "Delegate" not in unit
    packaged = Path(__file__).parents[2] / "packaging" / "systemd" / "user"
    assert "ListenStream=%t/docker.sock" in (packaged / "rootless.socket").read_text()
    assert "KillMode=process" in (packaged / "rootless.service").read_text()
