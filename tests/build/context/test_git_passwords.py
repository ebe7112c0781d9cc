"""A password in a repository's address: for its server alone, and in nobody's arguments."""

from __future__ import annotations

import base64
import http.server
import threading
from pathlib import Path

import pytest

from rootless.build.context.git_program import Git
from rootless.errors import Unavailable
from tests.harness import processes


class _Server(http.server.BaseHTTPRequestHandler):
    """Asks who it is, and remembers what it was told and what could be read in arguments then."""

    def do_GET(self) -> None:
        authorization = self.headers.get("Authorization", "")
        SAID.append(base64.b64decode(authorization.removeprefix("Basic ")).decode())
        SEEN.extend(each.command for each in processes.descendants().values())
        self.send_response(404 if authorization else 401)
        self.send_header("WWW-Authenticate", 'Basic realm="x"')
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


SAID: list[str] = []
SEEN: list[str] = []


def test_it_is_in_no_arguments(tmp_path: Path) -> None:
    program = Git(str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Server) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"127.0.0.1:{server.server_address[1]}/x.git"
        with pytest.raises(Unavailable):
            program.run("ls-remote", "--", f"http://me%40home:hunter%2F2@{address}", doing="read the refs")
        assert SAID[0] == ""
        assert SAID[-1] == "me@home:hunter/2"
        assert [command for command in SEEN if "x.git" in command]
        assert not [command for command in SEEN if "hunter" in command]
        SAID.clear()
        with pytest.raises(Unavailable):
            program.run("ls-remote", "--", f"http://{address}", doing="read the refs")
        server.shutdown()
    assert set(SAID) == {""}, "another repository's password is not for who gave none"
