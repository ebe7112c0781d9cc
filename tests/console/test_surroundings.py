"""Other users of the machine, ends and beginnings."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess

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


def test_it_ends_when_nobody_looks(rootless: Rootless) -> None:
    console = Console(rootless, "--time", "1")
    assert console.process.wait(PATIENCE_S) == 0
    assert not list((rootless.runtime / "rootless").glob("console*"))


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
        while not probe.connect_ex(str(rootless.runtime / "rootless/docker.sock")):
            probe.close()
            probe.__init__(socket.AF_UNIX)  # type: ignore[misc]
    assert browser.get("/containers").status == 200
