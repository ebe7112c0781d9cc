"""Real clients: the docker command line, and docker-py."""

from __future__ import annotations

import io
import tarfile
from typing import Any

import pytest

from tests.harness.api import Service


@pytest.fixture(autouse=True)
def busybox(service: Service, busybox_image: str) -> None:
    """Every test here has the image."""


def test_docker_run(service: Service) -> None:
    done = service.docker("run", "--rm", "busybox", "sh", "-c", "echo out; echo err >&2; exit 3", status=3)
    assert (done.stdout, done.stderr) == (b"out\n", b"err\n")
    assert service.docker("run", "--rm", "-i", "busybox", "cat", stdin=b"piped\n").stdout == b"piped\n"
    assert b"executable file not found" in service.docker("run", "--rm", "busybox", "nonsense", status=127).stderr
    service.docker("run", "--rm", "busybox", "/etc", status=126)
    assert service.docker("ps", "-aq").stdout == b""


def test_dockers_everyday_words(service: Service) -> None:
    service.docker("run", "-d", "--name", "web", "-l", "a=b", "-e", "X=y", "-v", "data:/data", "busybox", "sleep", "1000")
    assert service.docker("ps", "--format", "{{.Names}} {{.State}}").stdout == b"web running\n"
    assert service.docker("inspect", "-f", "{{.State.Running}}", "web").stdout == b"true\n"
    assert service.docker("exec", "web", "sh", "-c", "echo $X").stdout == b"y\n"
    assert service.docker("exec", "-i", "web", "cat", stdin=b"in").stdout == b"in"
    service.docker("exec", "web", "sh", "-c", "exit 5", status=5)
    assert b"executable file not found" in service.docker("exec", "web", "nonsense", status=127).stdout
    service.docker("cp", "web:/etc/passwd", str(service.rootless.runtime / "copied"))
    service.docker("cp", str(service.rootless.runtime / "copied"), "web:/data/back")
    assert service.docker("exec", "web", "wc", "-c", "/data/back").stdout.split()[0] != b"0"
    assert b"web" in service.docker("stats", "--no-stream", "web").stdout
    assert b"sleep" in service.docker("top", "web").stdout
    service.docker("rename", "web", "other")
    service.docker("update", "--restart", "on-failure:2", "other")
    service.docker("restart", "-t", "0", "other")
    service.docker("stop", "-t", "0", "other")
    assert service.docker("wait", "other").stdout == b"137\n"
    service.docker("start", "other")
    service.docker("rm", "-fv", "other")
    service.docker("volume", "rm", "data")
    assert b"rootless" in service.docker("info").stdout
    assert service.docker("run", "--name", "again", "busybox", "echo", "x").stdout == b"x\n"
    assert service.docker("start", "-a", "again").stdout == b"x\n"
    assert service.docker("logs", "again").stdout == b"x\nx\n"
    service.docker("container", "prune", "-f")


def test_docker_network_volume_and_image(service: Service) -> None:
    service.docker("network", "create", "cli")
    service.docker("run", "--rm", "--network", "cli", "busybox", "true")
    service.docker("network", "rm", "cli")
    service.docker("volume", "create", "cli-data")
    assert b"cli-data" in service.docker("volume", "ls").stdout
    service.docker("volume", "rm", "cli-data")
    assert b"busybox" in service.docker("images").stdout
    assert b"busybox" in service.docker("image", "inspect", "busybox").stdout
    service.docker("system", "df")


def test_docker_py_runs_containers(service: Service, docker_py: Any) -> None:
    import docker

    assert docker_py.containers.run("busybox", "echo hi", remove=True) == b"hi\n"
    with pytest.raises(docker.errors.ContainerError) as caught:
        docker_py.containers.run("busybox", ["sh", "-c", "echo why >&2; exit 4"], remove=True)
    assert caught.value.exit_status == 4
    with pytest.raises(docker.errors.ImageNotFound):
        docker_py.images.get("not-here")
    with pytest.raises(docker.errors.NotFound):
        docker_py.containers.get("not-here")
    assert docker_py.containers.list(all=True) == []


def test_docker_py_loses_no_first_bytes(service: Service, docker_py: Any) -> None:
    """It reads the raw socket past what has come with the head (docker-py#2042, #3332)."""
    container = docker_py.containers.run("busybox", "sleep 1000", detach=True)
    for number in range(15):
        assert container.exec_run(f"echo -n first-{number}").output == f"first-{number}".encode()
    assert container.exec_run(["sh", "-c", "echo a; echo b >&2"], demux=True).output == (b"a\n", b"b\n")
    container.remove(force=True)


def test_docker_py_and_the_rest(service: Service, docker_py: Any) -> None:
    container = docker_py.containers.create("busybox", ["cat", "/tmp/given"], name="py", labels={"a": "b"})
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        info = tarfile.TarInfo("given")
        info.size = 5
        archive.addfile(info, io.BytesIO(b"given"))
    assert container.put_archive("/tmp", out.getvalue())
    container.start()
    assert container.wait() == {"StatusCode": 0}
    assert container.logs() == b"given"
    container.reload()
    assert container.status == "exited"
    assert [each.name for each in docker_py.containers.list(all=True, filters={"label": "a=b"})] == ["py"]
    container.remove()
    volume = docker_py.volumes.create("py-volume", labels={"x": "y"})
    assert [each.name for each in docker_py.volumes.list(filters={"label": "x"})] == ["py-volume"]
    volume.remove()
    network = docker_py.networks.create("py-network")
    assert docker_py.networks.get("py-network").id == network.id
    network.remove()
    assert docker_py.ping()
    assert docker_py.info()["OSType"] == "linux"
    assert docker_py.df()["Images"]


@pytest.mark.own_store
def test_docker_py_builds_and_loads(service: Service, docker_py: Any) -> None:
    image, log = docker_py.images.build(fileobj=io.BytesIO(b"FROM busybox\nLABEL built=yes\nRUN true\n"), tag="py:1")
    assert image.labels == {"built": "yes"}
    assert any("Successfully built" in line.get("stream", "") for line in log)
    data = b"".join(image.save(named=True))
    docker_py.images.remove("py:1")
    (loaded,) = docker_py.images.load(data)
    assert loaded.tags == ["py:1"]


@pytest.mark.own_store
def test_docker_builds(service: Service) -> None:
    directory = service.rootless.runtime / "context"
    directory.mkdir()
    (directory / "Dockerfile").write_text("FROM busybox\nCOPY file /\nRUN cat /file\n")
    (directory / "file").write_text("contents\n")
    done = service.docker("build", "-t", "cli:1", str(directory))
    assert b"Successfully tagged cli:1" in done.stdout
    assert service.docker("run", "--rm", "cli:1", "cat", "/file").stdout == b"contents\n"
