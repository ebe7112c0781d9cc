"""`service`: the API of the store of `rootless`. `client`: runs a program of programs/ against it, with `docker` meaning rootless."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.clients import installed
from tests.harness.account import User
from tests.harness.api import Service
from tests.harness.command import Rootless

PROGRAMS = Path(__file__).parent / "programs"
LIMIT_S = 300.0
Client = Callable[..., str]
"""client(program, *words, status=0, full=False): its stdout."""


@pytest.fixture
def service(rootless: Rootless) -> Iterator[Service]:
    running = Service(rootless)
    yield running
    assert running.stop() == 0


@pytest.fixture
def shims(rootless: Rootless, tmp_path: Path) -> Path:
    """A directory in which `docker` and `docker-compose` are rootless."""
    directory = tmp_path / "bin"
    rootless("system", "shims", "--dir", directory, "docker", "docker-compose", warns=True)
    return directory


@pytest.fixture
def tool_environment(rootless: Rootless, shims: Path, tmp_path: Path) -> dict[str, str]:
    """What a tool sees that finds us by the names docker and DOCKER_HOST. The last three are for machines that are containers
    themselves: testcontainers looks for the host's address there."""
    home = tmp_path / "home"
    home.mkdir()
    return {
        **rootless.environment,
        "HOME": str(home),
        "PATH": f"{shims}:{rootless.environment['PATH']}",
        "DOCKER_HOST": f"unix://{rootless.runtime}/rootless/docker.sock",
        "RYUK_RECONNECTION_TIMEOUT": "1s",
        "TESTCONTAINERS_RYUK_RECONNECTION_TIMEOUT": "1s",
        "TESTCONTAINERS_HOST_OVERRIDE": "localhost",
        "TESTCONTAINERS_CONNECTION_MODE": "docker_host",
    }


@pytest.fixture
def client(user: User, tool_environment: dict[str, str], tmp_path: Path) -> Client:
    """Runs a file of programs/ by the interpreter of its kind, or a program of the environments; checks its exit status."""
    cache = user.home / ".cache/rootless-tests"

    def run(program: str, *words: str, status: int = 0, full: bool = False) -> str:
        path = PROGRAMS / program
        interpreter = installed.python_full(cache) if full else installed.python(cache)
        environment = dict(tool_environment)
        if path.suffix == ".py":
            argv = [str(interpreter), str(path)]
        elif path.suffix == ".js":
            modules = installed.node(cache, interpreter.with_name("node"))
            environment["NODE_PATH"] = str(modules)
            argv = [str(interpreter.with_name("node")), str(path)]
        elif program == "devcontainer":
            modules = installed.node(cache, interpreter.with_name("node"))
            argv = [str(interpreter.with_name("node")), str(modules / "@devcontainers/cli/devcontainer.js")]
        else:
            argv = [str(interpreter), str(interpreter.with_name(program))]
        done = subprocess.run(
            [*argv, *words], env=environment, cwd=tmp_path, stdin=subprocess.DEVNULL, capture_output=True, timeout=LIMIT_S, check=False
        )
        stdout, stderr = (os.fsdecode(stream) for stream in (done.stdout, done.stderr))
        assert done.returncode == status, f"{program} {words}: {done.returncode}, not {status}\n{stdout[-4000:]}\n{stderr[-4000:]}"
        return stdout

    return run


@pytest.fixture
def ryuk(rootless: Rootless, tools_image: str) -> None:
    """What stands in for testcontainers' ryuk, under the names that its clients ask for."""
    context = Path(__file__).parent / "ryuk"
    rootless("build", "-q", "-t", "testcontainers/ryuk:0.8.1", "-t", "testcontainers/ryuk:0.14.0", context)
