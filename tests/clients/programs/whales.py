"""python-on-whales: the command line `docker`, with templates in JSON, parsed into typed objects."""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path

from python_on_whales import DockerClient, docker
from python_on_whales.exceptions import DockerException, NoSuchContainer, NoSuchImage

COMPOSE = """\
name: whales
services:
  web: {image: busybox, command: sh -c 'echo up; exec sleep 1000', ports: ['80']}
  other: {image: busybox, command: sleep 1000, depends_on: [web]}
"""
place = Path(sys.argv[1])


def fails(kind: type[DockerException], call: object, *words: object) -> DockerException:
    try:
        call(*words)  # type: ignore[operator]
    except kind as error:
        return error
    raise AssertionError(f"{call} {words}: no error")


def containers() -> None:
    assert docker.version().client.version
    assert docker.system.info().driver
    assert docker.run("busybox", ["echo", "hi"], remove=True) == "hi"
    streams = docker.run("busybox", ["sh", "-c", "echo a; echo b >&2"], stream=True, remove=True)
    assert sorted(streams) == [("stderr", b"b\n"), ("stdout", b"a\n")]
    one = docker.run(
        "busybox", ["sh", "-c", "echo started; exec sleep 1000"], detach=True, name="whale", publish=[(0, 80)], envs={"A": "b"},
        labels={"x": "y"}, volumes=[("whale", "/v")], init=True,
    )  # fmt: skip
    assert (one.state.running, one.config.labels) == (True, {"x": "y"})
    assert int(one.network_settings.ports["80/tcp"][0]["HostPort"]) > 0
    assert one.execute(["sh", "-c", "echo $A"]) == "b"
    assert fails(DockerException, one.execute, ["sh", "-c", "exit 3"]).return_code == 3
    assert docker.stats(["whale"])[0].container_name == "whale"
    assert [each.name for each in docker.ps(filters=[("label", "x=y")])] == ["whale"]
    docker.copy(("whale", "/etc/passwd"), place / "passwd")
    docker.copy(place / "passwd", ("whale", "/tmp/x"))
    assert one.diff() == {"/tmp": "C", "/tmp/x": "A"}
    one.rename("whale2")
    one.restart(time=0)
    one.commit("whale:1")
    one.kill()
    assert docker.wait(one) == 137
    one.remove(volumes=True)
    past = list(docker.system.events(since=timedelta(hours=1), until=timedelta(0), filters={"container": "whale2"}))
    assert past[-1].action == "destroy", past
    fails(NoSuchContainer, docker.container.inspect, "whale2")


def images_and_builds() -> None:
    fails(NoSuchImage, docker.image.inspect, "nosuch")
    docker.image.save("whale:1", place / "image.tar")
    docker.image.remove("whale:1")
    assert docker.image.load(place / "image.tar") == ["whale:1"]
    (place / "Dockerfile").write_text("FROM busybox\nARG X\nRUN echo $X > /built\nLABEL l=m\n")
    assert docker.buildx.inspect().driver == "docker"
    assert [each.name for each in docker.buildx.list()] == ["default"]
    built = docker.build(place, tags=["whale:2"], build_args={"X": "1"}, progress=False)
    assert built.repo_tags == ["whale:2"]
    assert docker.run("whale:2", ["cat", "/built"], remove=True) == "1"
    docker.image.remove(["whale:1", "whale:2"])


def volumes_and_networks() -> None:
    volume = docker.volume.create("whale-data", labels={"a": "b"})
    docker.volume.copy(place / "passwd", (volume, "copied"))
    assert docker.run("busybox", ["ls", "/d"], volumes=[(volume, "/d")], remove=True) == "copied"
    assert [each.name for each in docker.volume.list(filters={"label": "a=b"})] == ["whale-data"]
    volume.remove()
    network = docker.network.create("whale-net", labels={"a": "b"})
    one = docker.run("busybox", ["sleep", "1000"], name="whale3", detach=True)
    docker.network.connect(network, one, alias="z")
    (member,) = docker.network.inspect("whale-net").containers.values()
    assert member.name == "whale3"
    docker.network.disconnect(network, one)
    one.remove(force=True)
    network.remove()


def compose() -> None:
    (place / "compose.yaml").write_text(COMPOSE)
    project = DockerClient(compose_files=[place / "compose.yaml"])
    assert project.compose.is_installed()
    project.compose.up(detach=True, wait=True, quiet=True)
    states = {each.name: each.state.status for each in project.compose.ps()}
    assert states == {"whales-other-1": "running", "whales-web-1": "running"}
    assert [each.running for each in project.compose.ls()] == [2]
    assert project.compose.config().services["other"].command == ["sleep", "1000"]
    assert "| up" in project.compose.logs(["web"])
    assert project.compose.execute("web", ["echo", "x"], tty=False) == "x"
    assert project.compose.port("web", 80)[1] > 0
    project.compose.down(volumes=True, timeout=0, quiet=True)


for part in (containers, images_and_builds, volumes_and_networks, compose):
    part()
print("all done")
