"""Node's clients: dockerode and testcontainers on the socket, the Dev Containers CLI on the command line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.clients.conftest import Client
from tests.harness import processes
from tests.harness.api import Service
from tests.harness.command import Rootless

pytestmark = [pytest.mark.full, pytest.mark.timeout(900)]


@pytest.fixture
def context(tmp_path: Path) -> str:
    """A directory with a Dockerfile."""
    directory = tmp_path / "context"
    directory.mkdir()
    (directory / "Dockerfile").write_text("FROM busybox\nRUN echo built > /built\n")
    return str(directory)


def test_dockerode(service: Service, busybox_image: str, client: Client, context: str) -> None:
    assert client("dockerode_client.js", context, full=True) == "done\n"


def test_testcontainers_and_ryuk(
    rootless: Rootless, service: Service, busybox_image: str, client: Client, context: str, ryuk: None
) -> None:
    custom = ("network", "ls", "-q", "--filter", "type=custom")
    before = rootless(*custom).stdout
    assert client("testcontainers_client.js", context, full=True) == "done\n"
    processes.wait_until(lambda: rootless(*custom).stdout == before, "ryuk's removal of the network")
    processes.wait_until(lambda: rootless("ps", "-aq").stdout == "", "ryuk's own end")


def test_dev_containers(rootless: Rootless, tools_image: str, client: Client, shims: Path, tmp_path: Path) -> None:
    """An image, variables, mounts and commands of the life cycle; found again by its labels."""
    workspace = tmp_path / "workspace"
    configured = {
        "image": tools_image, "containerEnv": {"GREETING": "hello"}, "remoteEnv": {"R": "remote"}, "init": True,
        "mounts": ["type=volume,source=dev-cache,target=/cache"], "runArgs": ["--cap-add=SYS_PTRACE"],
        "postCreateCommand": "echo created > created", "postStartCommand": "echo started > started",
    }  # fmt: skip
    words = _workspace(workspace, configured, shims)
    read = json.loads(client("devcontainer", "read-configuration", *words[:4], full=True).splitlines()[-1])
    assert read["configuration"]["image"] == tools_image
    up = json.loads(client("devcontainer", "up", *words, full=True).splitlines()[-1])
    assert (up["outcome"], up["remoteUser"]) == ("success", "root")
    assert json.loads(client("devcontainer", "up", *words, full=True).splitlines()[-1])["containerId"] == up["containerId"]
    said = client("devcontainer", "exec", *words, "sh", "-c", "echo $GREETING $R; pwd; ls; exit 7", status=7, full=True)
    assert said.split() == ["hello", "remote", "/workspaces/workspace", "created", "started"]
    rootless("rm", "-fv", up["containerId"])
    rootless("volume", "rm", "dev-cache")


def test_a_dev_container_of_a_dockerfile_with_a_user(
    rootless: Rootless, tools_image: str, client: Client, shims: Path, tmp_path: Path
) -> None:
    """The user gets the caller's uid, in the image by the tool, and in the container by keep-id: it can write the workspace."""
    workspace = tmp_path / "workspace"
    configured = {
        "build": {"dockerfile": "Dockerfile", "args": {"EXTRA": "given"}}, "remoteUser": "dev", "runArgs": ["--userns=keep-id"],
        "postCreateCommand": "id -un > made; cat /extra >> made",
    }  # fmt: skip
    words = _workspace(workspace, configured, shims)
    dockerfile = f"FROM {tools_image}\nARG EXTRA=none\nRUN useradd -m -u 1234 dev && echo $EXTRA > /extra\n"
    (workspace / ".devcontainer/Dockerfile").write_text(dockerfile)
    up = json.loads(client("devcontainer", "up", *words, full=True).splitlines()[-1])
    assert (up["outcome"], up["remoteUser"]) == ("success", "dev")
    assert (workspace / "made").read_text() == "dev\ngiven\n"
    assert (workspace / "made").owner() == workspace.owner()
    rootless("rm", "-fv", up["containerId"])


def _workspace(directory: Path, configuration: Mapping[str, object], shims: Path) -> tuple[str, ...]:
    """Make it; the words of a command that name it."""
    (directory / ".devcontainer").mkdir(parents=True)
    (directory / ".devcontainer/devcontainer.json").write_text(json.dumps(configuration))
    found = ("--workspace-folder", str(directory), "--docker-path", str(shims / "docker"))
    return (*found, "--user-data-folder", str(directory.parent / "data"))
