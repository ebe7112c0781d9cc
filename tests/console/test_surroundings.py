"""Other users of the machine, ends and beginnings."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

from tests.harness.command import Rootless
from tests.harness.console import PATIENCE_S, Browser, Console, secret_of

KNOCK = """
import socket, sys
sock = socket.create_connection(("127.0.0.1", int(sys.argv[1])), 30)
sock.settimeout(30)
try:
    sock.sendall(b"GET /login HTTP/1.1\\r\\nHost: 127.0.0.1:%s\\r\\nConnection: close\\r\\n\\r\\n" % sys.argv[1].encode())
    print(sock.recv(12).decode() or "hung up")
except ConnectionError:
    print("hung up")
"""


def test_a_port_is_for_its_owner(rootless: Rootless) -> None:
    """Every user of the machine can connect to a port of loopback. Another id of the session's is such a user."""
    console = Console(rootless, "--listen", "127.0.0.1:0")
    found = re.search(r"http://127\.0\.0\.1:(\d+)/login", console.said)
    assert found
    own = subprocess.run(["python3", "-c", KNOCK, found[1]], capture_output=True, text=True, timeout=PATIENCE_S, check=True)
    assert own.stdout == "HTTP/1.1 200\n"
    other = ("setpriv", "--reuid", "1000", "--clear-groups", "python3", "-c", KNOCK, found[1])
    assert rootless("unshare", *other).stdout == "hung up\n"
    assert secret_of(rootless("console").stdout)
    assert console.stop() == 0


TAKE = """
import http.server, sys
class Answer(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        print("key" if self.headers["X-Rootless-Key"] else "no key", flush=True)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"secret": "evil"}')
server = http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Answer)
print("listens", flush=True)
server.serve_forever()
"""


def test_a_port_that_another_user_has_taken_since_is_told_nothing(rootless: Rootless) -> None:
    """A killed console's port is anybody's: its key is not shown there, and no link of theirs is printed as ours."""
    console = Console(rootless, "--listen", "127.0.0.1:0")
    port = re.search(r"http://127\.0\.0\.1:(\d+)/login", console.said)
    assert port
    console.process.send_signal(signal.SIGKILL)
    console.process.wait(PATIENCE_S)
    other = rootless.start("unshare", "setpriv", "--reuid", "1000", "--clear-groups", "python3", "-c", TAKE, port[1], stderr=None)
    assert other.stdout
    assert other.stdout.readline() == b"listens\n"
    again = Console(rootless)
    assert "runs already" not in again.said
    assert "evil" not in again.said
    assert again.stop() == 0
    other.terminate()
    assert b"key" not in other.stdout.read()


def test_every_console_has_a_name_of_its_own(rootless: Rootless) -> None:
    """What a server that was behind the same port before has left in the browser for `localhost` is not there for ours."""
    console = Console(rootless)
    name = re.search(r"http://(rootless-[0-9a-f]{8}\.localhost):8080/login", console.said)
    assert name
    assert console.ask("GET", "/login", headers={"Host": f"{name[1]}:9000"}).status == 200
    assert console.ask("GET", "/login", headers={"Host": "rootless-00000000.localhost:8080"}).status == 403
    assert name[1] in rootless("console").stdout
    assert console.stop() == 0
    on_address = Console(rootless, "--listen", "127.1.2.3:0")
    found = re.search(r"http://127\.1\.2\.3:(\d+)/login", on_address.said)
    assert found
    with socket.create_connection(("127.1.2.3", int(found[1]))) as sock:
        sock.sendall(f"GET /login HTTP/1.1\r\nHost: 127.1.2.3:{found[1]}\r\nConnection: close\r\n\r\n".encode())
        assert sock.recv(12) == b"HTTP/1.1 200"
    assert on_address.stop() == 0
    assert "not an address of this machine alone" in rootless("console", "--listen", "[::ffff:127.0.0.1]:0", status=1).stderr


SERVE = """
import socket, sys
from rootless.console import guard, request, server
from rootless.console.app import Console
server.HEAD_S = request.BODY_S = 0.2
sock = socket.socket(socket.AF_UNIX)
sock.bind(sys.argv[1])
sock.listen()
sock.setblocking(False)
ready = lambda: print("listens", flush=True)
server.Server(Console(guard.Rules(guard.LOOPBACK, None), None, "key"), sock, 0, ready).serve_until_ended()
"""
HEAD = b"GET /login HTTP/1.1\r\nHost: localhost\r\n"
BODY = b"Origin: http://localhost\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{"


def test_who_asks_for_nothing_is_hung_up_on(tmp_path: Path) -> None:
    """Connections without a request would take the place of those with one; so would a body that never comes."""
    path = str(tmp_path / "socket")
    with subprocess.Popen([sys.executable, "-c", SERVE, path], stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stdout.readline() == b"listens\n"
        try:
            for said, answered in (
                (b"", b""), (HEAD, b""), (HEAD + b"\r\n" + HEAD, b"HTTP/1.1 200 "),
                (HEAD.replace(b"GET", b"POST") + BODY, b"HTTP/1.1 408 "),
            ):  # fmt: skip
                with socket.socket(socket.AF_UNIX) as client:
                    client.settimeout(PATIENCE_S)
                    client.connect(path)
                    client.sendall(said)
                    heard = b""
                    with contextlib.suppress(ConnectionResetError):
                        while more := client.recv(65536):
                            heard += more
                    assert heard[:13] == answered, said
        finally:
            process.terminate()


def test_it_ends_when_nobody_looks(rootless: Rootless) -> None:
    console = Console(rootless, "--time", "1")
    assert console.process.wait(PATIENCE_S) == 0
    assert not list((rootless.sockets).glob("console*"))


def test_a_killed_one_is_replaced(rootless: Rootless) -> None:
    """What it left is nobody's: the next takes its place, with links of its own."""
    console = Console(rootless)
    console.process.send_signal(signal.SIGKILL)
    console.process.wait(PATIENCE_S)
    assert console.path.exists()
    again = Console(rootless)
    assert again.secret != console.secret
    again.log_in()
    assert again.stop() == 0


def test_the_engines_service_comes_back(console: Console, browser: Browser, rootless: Rootless) -> None:
    """Killed, or ended idle: the next page starts one."""
    assert browser.get("/containers").status == 200
    children = subprocess.run(["ps", "-o", "pid=", "--ppid", str(console.process.pid)], capture_output=True, text=True, check=True)
    (service,) = children.stdout.split()
    os.kill(int(service), signal.SIGKILL)
    with socket.socket(socket.AF_UNIX) as probe:
        while not probe.connect_ex(str(rootless.sockets / "docker.sock")):
            probe.close()
            probe.__init__(socket.AF_UNIX)  # type: ignore[misc]
    assert browser.get("/containers").status == 200
