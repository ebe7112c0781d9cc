"""Repositories behind http on loopback, by git's own CGI program: with a password where one is asked for."""

from __future__ import annotations

import base64
import os
import subprocess
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import TracebackType


class GitHttp:
    """A context manager. `seen` are the Authorization headers that came ("" for none), `redirect` says where a path is now."""

    def __init__(self, directory: Path, password: str = "") -> None:
        self.seen: list[str] = []
        self.redirect: Callable[[str], str] = lambda path: ""
        self.newest = True  # the protocol's version, as far as the client has it; else the first, which gives refs alone
        self._wanted = f"Basic {base64.b64encode(password.encode()).decode()}" if password else ""
        self._directory = directory
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.port = self._server.server_address[1]

    def url(self, name: str, user: str = "") -> str:
        return f"http://{user}127.0.0.1:{self.port}/{name}"

    def __enter__(self) -> GitHttp:
        Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                sent = self.headers.get("Authorization", "")
                outer.seen.append(sent)
                elsewhere = outer.redirect(self.path)
                if elsewhere:
                    self.send_response(302)
                    self.send_header("Location", elsewhere)
                    self.end_headers()
                elif outer._wanted and sent != outer._wanted:
                    self.send_response(401)
                    self.send_header("WWW-Authenticate", 'Basic realm="x"')
                    self.end_headers()
                else:
                    self._answer()

            do_POST = do_GET

            def _answer(self) -> None:
                path, _, query = self.path.partition("?")
                length = int(self.headers.get("Content-Length") or 0)
                environment = {
                    "PATH": os.environ["PATH"], "GIT_PROJECT_ROOT": str(outer._directory), "GIT_HTTP_EXPORT_ALL": "1",
                    "PATH_INFO": path, "QUERY_STRING": query, "REQUEST_METHOD": self.command, "GIT_CONFIG_GLOBAL": "/dev/null",
                    "CONTENT_TYPE": self.headers.get("Content-Type", ""), "REMOTE_ADDR": "127.0.0.1",
                    "GIT_PROTOCOL": self.headers.get("Git-Protocol", "") if outer.newest else "",
                    "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
                }  # fmt: skip
                done = subprocess.run(
                    ["git", "http-backend"], env=environment, input=self.rfile.read(length), capture_output=True, check=False
                )
                head, _, body = done.stdout.partition(b"\r\n\r\n")
                found = dict(line.split(": ", 1) for line in head.decode().split("\r\n") if line)
                self.send_response(int(found.pop("Status", "200").split()[0]))
                for name, value in found.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        return Handler
