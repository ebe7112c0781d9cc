"""A real distribution: apt-get inside, nginx outside through a published port."""

from __future__ import annotations

import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.harness.command import Rootless
from tests.harness.processes import wait_until
from tests.harness.registry import free_port

NGINX = "daemon off;"


def fetch(port: int, path: str) -> str:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return str(answer.read().decode())
    except (urllib.error.URLError, ConnectionError):
        return ""


def test_it_is_debian(rootless: Rootless, debian_image: str) -> None:
    out = rootless("run", "--rm", "--network", "none", debian_image, "cat", "/etc/os-release").stdout
    assert "bookworm" in out
    assert rootless("run", "--rm", "--network", "none", debian_image, "dpkg", "--audit").stdout == ""


@pytest.mark.timeout(600)
def test_apt_get_install_and_nginx(rootless: Rootless, debian_image: str, tmp_path: Path) -> None:
    """The issue's own story: install, serve, look inside, take a file out."""
    port = free_port()
    (tmp_path / "index.html").write_text("served from a container\n")
    tmp_path.chmod(0o755)
    script = (
        "apt-get update -qq && apt-get install -qq -y --no-install-recommends nginx-light procps"
        " >/tmp/apt.log 2>&1 || { cat /tmp/apt.log; exit 1; }; exec nginx -g 'daemon off;'"
    )
    rootless(
        "run", "-d", "--name", "web", "-p", f"127.0.0.1:{port}:80", "-v", f"{tmp_path}:/var/www/html/site:ro",
        "-e", "DEBIAN_FRONTEND=noninteractive", debian_image, "sh", "-c", script,
    )  # fmt: skip

    def served() -> bool:
        assert rootless("ps", "-q").stdout, rootless("logs", "web").stdout
        return fetch(port, "/site/index.html") == "served from a container\n"

    wait_until(served, "nginx serves the page", timeout_s=400)
    listing = rootless("exec", "web", "ps", "-eo", "pid,args").lines
    assert listing[1].split()[0] == "1"
    assert "nginx: master process" in listing[1]
    assert f"127.0.0.1:{port}->80/tcp" in rootless("ps").stdout
    rootless("cp", "web:/etc/nginx/nginx.conf", tmp_path / "nginx.conf")
    assert "http {" in (tmp_path / "nginx.conf").read_text()
    assert "A /usr/sbin/nginx" in rootless("diff", "web").lines
    rootless("stop", "web")
    assert fetch(port, "/site/index.html") == ""
    rootless("rm", "web")


def test_dpkg_keeps_owners_and_capabilities(rootless: Rootless, debian_image: str) -> None:
    script = "stat -c '%U:%G %a' /etc/shadow /usr/bin/passwd /tmp"
    out = rootless("run", "--rm", "--network", "none", debian_image, "sh", "-c", script).lines
    assert out == ["root:shadow 640", "root:root 4755", "root:root 1777"]


def test_set_user_id_works_inside(rootless: Rootless, debian_image: str) -> None:
    out = rootless(
        "run", "--rm", "--network", "none", "-u", "nobody", debian_image, "sh", "-c",
        "cp /usr/bin/id /tmp/id && id -u && /usr/bin/passwd -S 2>&1 | head -1",
    )  # fmt: skip
    assert out.lines[0] == "65534"
