"""Python's clients: aiodocker and testcontainers on the socket, python-on-whales on the command line, repo2docker on both."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.clients.conftest import Client
from tests.harness import processes
from tests.harness.api import Service
from tests.harness.command import Rootless

pytestmark = pytest.mark.timeout(900)  # the first of them installs the clients


def test_aiodocker(service: Service, busybox_image: str, client: Client) -> None:
    assert client("aiodocker_client.py") == "done\n"


def test_testcontainers_and_ryuk(rootless: Rootless, service: Service, busybox_image: str, client: Client, ryuk: None) -> None:
    """Ryuk is in a container with the socket mounted; its calls remove what the program left, and then it goes."""
    networks = rootless("network", "ls", "-q").lines
    reaper = client("testcontainers_client.py").strip()
    processes.wait_until(lambda: rootless("container", "exists", reaper, status=None).status == 1, "ryuk's own end")
    assert rootless("ps", "-aq").stdout == ""
    assert rootless("volume", "ls", "-q").stdout == ""
    assert rootless("network", "ls", "-q").lines == networks
    assert rootless("images", "-q", "left").stdout == ""


def test_python_on_whales(busybox_image: str, client: Client, tmp_path: Path) -> None:
    place = tmp_path / "place"
    place.mkdir()
    assert client("whales.py", str(place)).splitlines()[-1] == "all done"


@pytest.mark.full
def test_repo2docker(service: Service, tools_image: str, client: Client, tmp_path: Path) -> None:
    """Built by the command line, `docker buildx build`, and run by docker-py."""
    repository = tmp_path / "repository"
    repository.mkdir()
    (repository / "Dockerfile").write_text(
        f"FROM {tools_image}\nARG NB_USER\nARG NB_UID\nRUN useradd -m -u $NB_UID $NB_USER\nUSER $NB_USER\n"
    )
    words = ("--image-name", "repo2docker:1", "--user-id", "1234", "--user-name", "jovyan", str(repository))
    client("repo2docker", *words, "sh", "-c", "id -un; exit 3", status=3, full=True)


@pytest.mark.full
def test_dockerspawner(service: Service, tools_image: str, client: Client) -> None:
    assert client("spawner.py", full=True).endswith("done\n")
