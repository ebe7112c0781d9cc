"""The API service of a test's store: started, asked by its socket, byte by byte where need be, and by real clients."""

from __future__ import annotations

import http.client
import json
import os
import select
import shutil
import signal
import socket
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.harness import processes
from tests.harness.command import Rootless

PATIENCE_S = 60.0
Make = Callable[..., str]
"""The fixture `make`: creates a container of busybox, and returns its id."""


class Answer(NamedTuple):
    """What came back; header names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, decoded."""
        return json.loads(self.body)

    @property
    def lines(self) -> list[Any]:
        """The body as JSON lines."""
        return [json.loads(line) for line in self.body.splitlines() if line.strip()]

    @property
    def message(self) -> str:
        """Of an error."""
        return str(self.json["message"])


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=PATIENCE_S)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.connect(str(self.path))
        self.sock.settimeout(PATIENCE_S)  # afterwards: with one, connect(2) does not wait for a full backlog


class Service:
    """`rootless system service` at work."""

    def __init__(self, rootless: Rootless, *options: str, env: dict[str, str] | None = None) -> None:
        self.rootless = rootless
        self.path = rootless.sockets / "docker.sock"
        self.process = rootless.start("system", "service", *options, env=env, stdin=subprocess.DEVNULL)
        self._await()

    def _await(self) -> None:
        for _ in range(600):
            with socket.socket(socket.AF_UNIX) as probe:
                try:
                    probe.connect(str(self.path))
                    return
                except (FileNotFoundError, ConnectionRefusedError):
                    ended = self.process.poll()
                    assert ended is None, f"the service ended: {self.process.stderr.read()!r}"  # type: ignore[union-attr]
            select.select([], [], [], 0.05)
        raise AssertionError("the service does not listen")

    @property
    def host(self) -> str:
        """DOCKER_HOST."""
        return f"unix://{self.path}"

    def connect(self) -> socket.socket:
        """A connection, for bytes of one's own."""
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.connect(str(self.path))
        sock.settimeout(PATIENCE_S)
        return sock

    def __call__(
        self, method: str, path: str, body: Any = None, *, headers: dict[str, str] | None = None, status: int | None = 200
    ) -> Answer:
        """One request on a connection of its own. A body that is neither bytes nor None is sent as JSON. `status`: what
        is expected, None for any."""
        connection = _Connection(self.path)
        sent = dict(headers or {})
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            sent.setdefault("Content-Type", "application/json")
        try:
            connection.request(method, path if path.startswith("/v") or path == "/_ping" else f"/v1.44{path}", body, sent)
            response = connection.getresponse()
            answer = Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
        finally:
            connection.close()
        told = f"{method} {path}: {answer.status}, not {status}: {answer.body[:2000]!r}"
        assert status is None or answer.status == status, told
        return answer

    def open(self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None) -> http.client.HTTPResponse:
        """A request whose answer is read as it comes."""
        connection = _Connection(self.path)
        connection.request(method, f"/v1.44{path}", body or None, headers or {})
        return connection.getresponse()

    def docker(self, *words: str, status: int | None = 0, stdin: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
        """The docker command line, against this service."""
        program = shutil.which("docker")
        if program is None:
            pytest.skip("no docker command line, and no package brings one of today's: docker-py speaks the same API")
        fed: dict[str, Any] = {"stdin": subprocess.DEVNULL} if stdin is None else {"input": stdin}
        done = subprocess.run(
            [program, *words], capture_output=True, timeout=PATIENCE_S, check=False,
            env={"PATH": os.environ["PATH"], "HOME": str(self.rootless.runtime), "DOCKER_HOST": self.host, "DOCKER_BUILDKIT": "0"},
            **fed,
        )  # fmt: skip
        told = f"docker {' '.join(words)}: {done.returncode}, not {status}: {done.stdout[-1500:]!r} {done.stderr[-1500:]!r}"
        assert status is None or done.returncode == status, told
        return done

    def client(self) -> Any:
        """docker-py, with the version that the service advertises."""
        import docker

        return docker.DockerClient(base_url=self.host, timeout=int(PATIENCE_S))

    def stop(self) -> int:
        """End it as a service manager does; its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(PATIENCE_S)
        said = self.process.stderr.read().decode(errors="replace") if self.process.stderr else ""
        assert "Traceback" not in said, said
        return status


def start(service: Service, identifier: str) -> None:
    service("POST", f"/containers/{identifier}/start", status=204)


def ended(service: Service, identifier: str) -> dict[str, Any]:
    """Its State, once it has ended."""
    found: dict[str, Any] = {}

    def over() -> bool:
        found.update(service("GET", f"/containers/{identifier}/json").json["State"])
        return bool(found["Status"] == "exited")

    processes.wait_until(over, "the container's end")
    return found


def frames(data: bytes) -> list[tuple[int, bytes]]:
    """The frames of a multiplexed stream."""
    found = []
    while data:
        stream, length = struct.unpack(">BxxxI", data[:8])
        assert len(data) >= 8 + length
        found.append((stream, data[8 : 8 + length]))
        data = data[8 + length :]
    return found
