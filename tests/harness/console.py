"""`rootless console` at work, and a browser's part of it: a cookie, a page's token, an Origin."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from tests.harness.command import Rootless

PATIENCE_S = 60.0
HOST = "localhost:8080"


class Answer(NamedTuple):
    """What came back; header names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def message(self) -> str:
        """Of an error that a script gets."""
        return str(json.loads(self.body)["message"])


class Console:
    """`rootless console OPTIONS`, which listens. `said`: its first lines."""

    def __init__(self, rootless: Rootless, *options: str) -> None:
        self.rootless = rootless
        self.process = rootless.start("console", *options, stdin=subprocess.DEVNULL, stderr=None)
        assert self.process.stdout is not None
        self.said = ""
        while "prints a new one" not in self.said:
            line = self.process.stdout.readline()
            assert line, f"the console ended: {self.said!r}, {self.process.wait()}"
            self.said += line.decode()

    @property
    def path(self) -> Path:
        return self.rootless.sockets / "console.sock"

    @property
    def secret(self) -> str:
        """Of the link that was printed."""
        return secret_of(self.said)

    def stop(self) -> int:
        """End it as systemd would; its exit status."""
        self.process.terminate()
        return self.process.wait(PATIENCE_S)

    def connect(self) -> socket.socket:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.connect(str(self.path))
        sock.settimeout(PATIENCE_S)
        return sock

    @contextlib.contextmanager
    def open(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> Iterator[http.client.HTTPResponse]:
        """A request of nobody's, whose answer is read as it comes."""
        connection = http.client.HTTPConnection("localhost", 8080)
        connection.sock = self.connect()
        sent = {"Content-Type": "application/json"} if body is not None else {}
        data = json.dumps(body) if body is not None and not isinstance(body, bytes) else body
        try:
            connection.request(method, path, data, {**sent, **(headers or {})})
            yield connection.getresponse()
        finally:
            connection.close()

    def ask(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Answer:
        """The same, whole."""
        with self.open(method, path, body, headers) as response:
            return Answer(response.status, {key.lower(): value for key, value in response.getheaders()}, response.read())

    def log_in(self, secret: str = "") -> Browser:
        """A browser that has opened the printed link, or the one of `secret`."""
        answer = self.ask("POST", "/login", {"secret": secret or self.secret}, {"Origin": f"http://{HOST}"})
        assert answer.status == 200, answer
        return Browser(self, answer.headers["set-cookie"].partition(";")[0])


class Browser:
    """Pages of one session: reads with its cookie, changes with the token of a page besides."""

    def __init__(self, console: Console, cookie: str) -> None:
        self.console = console
        self.cookie = cookie
        self.token = ""
        found = re.search(r'name="token" content="([^"]+)"', self.page("/containers"))
        assert found
        self.token = found.group(1)

    @property
    def headers(self) -> dict[str, str]:
        """What its pages send with a change."""
        return {"Cookie": self.cookie, "Origin": f"http://{HOST}", "X-Rootless-Token": self.token}

    def get(self, path: str) -> Answer:
        return self.console.ask("GET", path, headers={"Cookie": self.cookie})

    def page(self, path: str) -> str:
        """A page that is there."""
        answer = self.get(path)
        assert answer.status == 200, (path, answer)
        return answer.text

    def post(self, path: str, body: dict[str, Any] | None = None, **headers: str) -> Answer:
        return self.console.ask("POST", path, body or {}, {**self.headers, **headers})

    def upload(self, path: str, data: bytes, **headers: str) -> Answer:
        """A file, as it is."""
        return self.console.ask("POST", path, data, {**self.headers, "Content-Type": "application/octet-stream", **headers})


def secret_of(said: str) -> str:
    """The secret of the link in what the console printed."""
    found = re.search(r"/login#login=([\w-]+)$", said, re.MULTILINE)
    assert found, said
    return found.group(1)
