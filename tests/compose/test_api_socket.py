"""`use_api_socket`: a service that is given the engine, and the caller's credentials."""

from __future__ import annotations

import base64
import json
from pathlib import Path

from tests.compose.projects import Compose
from tests.harness.api import Service

PROJECT = """
services:
  inside:
    image: busybox
    command: sleep 1000
    use_api_socket: true
  own:
    image: busybox
    command: sleep 1000
    use_api_socket: true
    environment: {DOCKER_CONFIG: /mine}
  beside:
    image: busybox
    command: sleep 1000
"""


def test_a_service_is_given_the_engine(compose: Compose, tmp_path: Path) -> None:
    refused = compose.up(PROJECT, status=1)
    assert "use_api_socket: nobody serves the API at" in refused.stderr
    assert "rootless system service" in refused.stderr
    assert not compose.rows()

    auth = tmp_path / "auth.json"
    pair = base64.b64encode(b"me:secret").decode()
    auth.write_text(json.dumps({"auths": {name: {"auth": pair} for name in ("docker.io", "registry.example:5000/path", "quay.io")}}))
    compose.environment["REGISTRY_AUTH_FILE"] = str(auth)
    service = Service(compose.rootless)
    try:
        compose("up", "-d")
        shown = compose.execute("inside", "stat", "-c", "%F %d %i", "/var/run/docker.sock").strip()
        on_host = service.path.stat()
        assert shown == f"socket {on_host.st_dev} {on_host.st_ino}"
        assert compose.execute("inside", "sh", "-c", "echo $DOCKER_CONFIG").strip() == "/run/secrets/docker"
        kept = json.loads(compose.execute("inside", "cat", "/run/secrets/docker/config.json"))
        assert kept["auths"]["https://index.docker.io/v1/"] == kept["auths"]["quay.io"] == {"auth": pair}
        assert compose.execute("inside", "stat", "-c", "%a", "/run/secrets/docker/config.json").strip() == "400"
        compose.execute("own", "test", "-S", "/var/run/docker.sock")
        compose.execute("own", "test", "-e", "/run/secrets/docker", status=1)
        compose.execute("beside", "test", "-e", "/var/run/docker.sock", status=1)
        before = compose.ids()
        compose("up", "-d")
        assert compose.ids() == before
        assert "#apisocket" not in compose("config").stdout
    finally:
        compose("down", "-t", "0")
        assert service.stop() == 0
