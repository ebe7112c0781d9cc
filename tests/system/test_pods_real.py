"""A pod of real programs: nginx, and what asks it at localhost, from another container and from outside."""

from __future__ import annotations

import socket
import urllib.request

import pytest

from tests.harness.command import Rootless
from tests.harness.processes import wait_until


def fetch(port: int) -> str:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=30) as answer:
            return str(answer.read().decode())
    except OSError:
        return ""


@pytest.mark.timeout(600)
def test_nginx_and_a_reader(rootless: Rootless, debian_image: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = int(server.getsockname()[1])
    serve = (
        "apt-get update -qq && apt-get install -qq -y --no-install-recommends nginx-light >/tmp/apt.log 2>&1 "
        "|| { cat /tmp/apt.log; exit 1; }; echo of the pod > /var/www/html/index.html; exec nginx -g 'daemon off;'"
    )
    read = (
        "until { exec 3<>/dev/tcp/localhost/80; } 2>/dev/null; do sleep 0.2; done; "
        "printf 'GET / HTTP/1.0\\n\\n' >&3; cat <&3 > /dev/shm/read; exec sleep 1000"
    )
    rootless("pod", "create", "--name", "site", "-p", f"127.0.0.1:{port}:80")
    rootless("run", "-d", "--pod", "site", "--name", "web", "-e", "DEBIAN_FRONTEND=noninteractive", debian_image, "sh", "-c", serve)
    rootless("run", "-d", "--init", "--pod", "site", "--name", "reader", debian_image, "bash", "-c", read)

    def served() -> bool:
        assert "web" in rootless("ps", "--format", "{{.Names}}").lines, rootless("logs", "web").stdout
        return fetch(port) == "of the pod\n"

    try:
        wait_until(served, "nginx serves the page at the pod's port", timeout_s=400)
        found = ("exec", "web", "cat", "/dev/shm/read")
        wait_until(lambda: rootless(*found, status=None).stdout.endswith("of the pod\n"), "what was read at localhost, in /dev/shm")
        rootless("pod", "restart", "site")
        wait_until(lambda: fetch(port) == "of the pod\n", "the pod after a restart", timeout_s=400)
        rootless("pod", "stop", "site")
        assert fetch(port) == ""
    finally:
        rootless("pod", "rm", "-f", "site", status=None)
    assert rootless("ps", "-aq").lines == []
