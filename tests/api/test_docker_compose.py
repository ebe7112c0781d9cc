"""docker-compose (1 in Python, or 2) over the socket, and `rootless compose`: one project, which either takes over from the other.

Debian's package docker-compose has it (bookworm 1.29.2, trixie 2.26.1), and so have others; no machine needs it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.harness.api import Service
from tests.harness.command import Rootless

PLUGINS = ("/usr/libexec/docker/cli-plugins", "/usr/local/lib/docker/cli-plugins", os.path.expanduser("~/.docker/cli-plugins"))
FILE = """
services:
  web:
    image: busybox
    command: sh -c 'echo hello from web; exec sleep 1000'
    stop_grace_period: 0s
    depends_on: [db]
    volumes: ["data:/data"]
  db: {image: busybox, command: sleep %d, stop_grace_period: 0s}
volumes: {data: }
"""


def test_either_takes_the_project_over(rootless: Rootless, service: Service, busybox_image: str, tmp_path: Path) -> None:
    program = shutil.which("docker-compose", path=os.pathsep.join((os.environ.get("PATH", ""), *PLUGINS)))
    if program is None:
        pytest.skip("docker-compose is not installed")
    directory = tmp_path / "demo"
    directory.mkdir()
    (directory / "compose.yaml").write_text(FILE % 1000)
    environment = {**os.environ, "DOCKER_HOST": f"unix://{service.path}", "COMPOSE_FILE": str(directory / "compose.yaml")}

    def theirs(*words: str) -> str:
        done = subprocess.run([program, *words], cwd=directory, env=environment, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def ids() -> dict[str, str]:
        lines = rootless("compose", "ps", "-a", "--format", "json", cwd=directory).lines
        return {row["Service"]: row["ID"] for row in map(json.loads, lines) if row["State"] == "running"}

    rootless("compose", "up", "-d", cwd=directory)
    ours = ids()
    assert set(ours) == {"web", "db"}
    assert "demo-web-1" in theirs("ps")
    assert "hello from web" in theirs("logs", "web")
    assert "inside" in theirs("exec", "-T", "web", "echo", "inside")
    assert ids() == ours
    # Its hash is another: once all is made anew, and then nothing.
    theirs("up", "-d")
    taken = ids()
    assert set(taken) == set(ours)
    assert not set(taken.values()) & set(ours.values())
    theirs("up", "-d")
    assert ids() == taken
    (directory / "compose.yaml").write_text(FILE % 2000)
    theirs("up", "-d")
    changed = ids()
    assert set(changed) == set(ours)
    assert changed["db"] != taken["db"]
    # And back.
    rootless("compose", "up", "-d", cwd=directory)
    assert set(ids()) == set(ours)
    assert not set(ids().values()) & set(changed.values())
    theirs("down", "-v")
    assert ids() == {}
    assert "demo" not in rootless("network", "ls").stdout + rootless("volume", "ls").stdout
