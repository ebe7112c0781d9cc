"""The command lines of programs that no registry of packages has, word by word as their sources write them, with `docker` meaning
rootless: exit statuses, and the shape of what is printed. The words stand in docs/tools/, where the page says what of them is tried.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.harness.command import Rootless

Docker = Callable[..., str]
"""docker("run -i ...", status=0, stdin=b""): its stdout."""


@pytest.fixture
def docker(rootless: Rootless, busybox_image: str, tool_environment: dict[str, str], tmp_path: Path) -> Iterator[Docker]:
    """The shim, run by a shell as the tools do it. All containers are removed at the end."""

    def run(words: str, *, status: int = 0, stdin: bytes = b"") -> str:
        done = subprocess.run(
            f"docker {words}", shell=True, cwd=tmp_path, env=tool_environment, input=stdin, capture_output=True, timeout=60, check=False
        )
        stdout, stderr = done.stdout.decode(), done.stderr.decode()
        assert done.returncode == status, f"docker {words}: {done.returncode}, not {status}\n{stdout}\n{stderr}"
        assert "Traceback" not in stderr, stderr
        run.stderr = stderr  # type: ignore[attr-defined]
        return stdout

    yield run
    for container in rootless("ps", "-aq").lines:
        rootless("rm", "-fv", container)


def said(docker: Docker) -> str:
    """stderr of the last command."""
    return str(docker.stderr)  # type: ignore[attr-defined]


def test_dev_containers(docker: Docker, tool_environment: dict[str, str], tmp_path: Path) -> None:
    """What VS Code and the Dev Containers CLI run (dockerUtils.ts, singleContainer.ts)."""
    assert re.match(r"Docker version 27\.\d+\.\d+\S+, build rootless\n$", docker("-v"))
    assert re.fullmatch(r"\d+\.\d+\.\d+\S*\n", docker("version --format {{.Server.Version}}"))
    assert re.search(r"\d+\.\d+\.\d+", docker("buildx version"))
    assert "Driver: docker\n" in docker("buildx inspect --bootstrap")
    docker("buildx inspect nosuch", status=1)
    docker("info -f '{{.Runtimes.nvidia}}'")
    label = f"devcontainer.local_folder={tmp_path}"
    assert docker(f"ps -q -a --filter label={label} --filter label=devcontainer.config_file={tmp_path}/x") == ""
    script = "'echo Container started; trap \"exit 0\" 15; exec \"$@\"; while sleep 1 & wait $!; do :; done' -"
    words = (
        f"run --sig-proxy=false -a STDOUT -a STDERR -p 127.0.0.1::3000 --mount type=bind,source={tmp_path},target=/workspace,"
        f"consistency=cached -l {label} -e A=b --init --cap-add=SYS_PTRACE --security-opt seccomp=unconfined --entrypoint /bin/sh "
        f"-l 'devcontainer.metadata=[{{\"remoteUser\":\"root\"}}]' busybox -c {script}"
    )
    with subprocess.Popen(f"exec docker {words}", shell=True, env=tool_environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as up:
        assert up.stdout is not None
        assert up.stdout.readline() == b"Container started\n"
        (identifier,) = docker(f"ps -q -a --filter label={label}").split()
        _in_a_dev_container(docker, identifier, tmp_path)
        docker(f"rm -f {identifier}")
        assert up.wait(60) == 137


def _in_a_dev_container(docker: Docker, identifier: str, tmp_path: Path) -> None:
    (found,) = json.loads(docker(f"inspect --type container {identifier}"))
    assert json.loads(found["Config"]["Labels"]["devcontainer.metadata"]) == [{"remoteUser": "root"}]
    assert found["State"]["Status"] == "running"
    (image,) = json.loads(docker("inspect --type image busybox"))
    assert image["Id"].startswith("sha256:")
    docker("inspect --type volume nosuch", status=1)
    docker(f"exec -i -u root -e K=V -w /workspace {identifier} sh -c 'cat; echo $K; pwd; exit 7'", status=7, stdin=b"in")
    events = docker("events --since 1h --until 0s --format '{{json .}}' --filter event=start").splitlines()
    attributes = [json.loads(line)["Actor"]["Attributes"] for line in events]  # of other tests, too, which shared the store
    assert [each["devcontainer.local_folder"] for each in attributes if "devcontainer.local_folder" in each] == [str(tmp_path)]
    (tmp_path / "Dockerfile").write_text("FROM busybox AS first\nARG X\nRUN echo $X > /x\nFROM first AS second\n")
    docker(
        "buildx build --load --build-arg BUILDKIT_INLINE_CACHE=1 --build-arg X=y -f Dockerfile -t dev:1 --target first --no-cache "
        f"--cache-from busybox --build-context other={tmp_path} ."
    )
    docker("rmi dev:1")


def test_nextflow(docker: Docker, tool_environment: dict[str, str], tmp_path: Path) -> None:
    """DockerBuilder: a task's script in its directory; a limit that this host cannot hold is refused, not left out."""
    task = 'run -i -e "NXF_TASK_WORKDIR" -v {0}:{0} -w {0} {1} --name nxf-{2} busybox /bin/sh -ue {0}/.command.run'
    platform = "--platform linux/amd64" if os.uname().machine == "x86_64" else ""
    (tmp_path / ".command.run").write_text("pwd; echo done > out; cat; exit 3\n")
    assert docker(task.format(tmp_path, platform, "a"), status=3) == f"{tmp_path}\n"
    assert (tmp_path / "out").owner() == tmp_path.owner()
    docker("rm nxf-a")
    limited = task.format(tmp_path, "--cpu-shares 1024 --memory 64m", "b")
    held = json.loads(docker("info --format '{{json .}}'"))["MemoryLimit"]
    docker(limited, status=3 if held else 125)
    assert held or "hint: " in said(docker)
    _configure(tool_environment, 'limits = "warn"\n')
    docker(limited.replace("nxf-b", "nxf-w"), status=3)
    assert held or "--memory, --cpu-shares cannot be enforced" in said(docker)
    docker("run -d --name nxf-c busybox sleep 1000")
    docker("kill -s TERM nxf-c")
    docker("stop -t 0 nxf-c")
    docker("rm nxf-c")


def _configure(environment: dict[str, str], text: str) -> None:
    """The user's own defaults, config.toml."""
    directory = Path(environment["HOME"]) / ".config/rootless"
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "config.toml").write_text(text)


def test_nf_core(docker: Docker, tool_environment: dict[str, str], tmp_path: Path) -> None:
    """Its docker profile adds -u $(id -u):$(id -g). By default that is an id that cannot write the task's directory, nor enter this
    one; with keep-id-unless-root it is the caller."""
    task = f"run -i --rm -v {tmp_path}:{tmp_path} -w {tmp_path} -u $(id -u):$(id -g) busybox sh -c 'touch made; id -u'"
    docker(task, status=125)
    assert "cannot change to the working directory" in said(docker)
    _configure(tool_environment, 'userns = "keep-id-unless-root"\n')
    assert docker(task) == f"{os.getuid()}\n"
    assert (tmp_path / "made").owner() == tmp_path.owner()


def test_kind(docker: Docker, rootless: Rootless) -> None:
    """What it asks before it makes a node (providers/docker); nodes themselves need more than an ordinary user has."""
    assert docker("-v").startswith("Docker version")
    info = json.loads(docker("info --format '{{json .}}'"))
    assert {"CgroupVersion", "CgroupDriver", "MemoryLimit", "PidsLimit", "CPUShares"} <= info.keys()
    assert "name=rootless" in json.loads(docker("info --format '{{json .SecurityOptions}}'"))
    assert docker("info -f {{.Driver}}").strip() in ("overlay", "overlay2", "fuse-overlayfs", "directory")
    docker("network inspect bridge -f '{{index .Options \"com.docker.network.driver.mtu\"}}'")
    assert docker("network ls --filter=name=^kind$ --format={{.ID}}") == ""
    docker("network create -d bridge -o com.docker.network.bridge.enable_ip_masquerade=true -o com.docker.network.driver.mtu=1500 kind")
    assert re.fullmatch(r"[0-9a-f]{12,64}\n", docker("network ls --filter=name=^kind$ --format={{.ID}}"))
    docker("inspect --type=image busybox")
    docker("inspect --type=image nosuch", status=1)
    assert docker("ps -a --filter label=io.x-k8s.kind.cluster --format '{{.Names}}'") == ""
    docker(
        "run --name kind-node --hostname kind-node --label io.x-k8s.kind.role=control-plane --detach --tty --net kind "
        "--restart=on-failure:1 --init=false --cgroupns=private --privileged --userns=host --device /dev/fuse "
        "--security-opt seccomp=unconfined --tmpfs /tmp --tmpfs /run --volume /var "
        "--publish=127.0.0.1:0:6443/TCP -e KUBECONFIG=/etc/kubernetes/admin.conf --label io.x-k8s.kind.cluster=kind busybox sleep 1000"
    )
    assert docker("exec --privileged -i kind-node cat /dev/stdin", stdin=b"fed") == "fed"
    assert re.search(r"127\.0\.0\.1:\d+", docker("port kind-node 6443/tcp"))
    docker("rm -f -v kind-node")
    docker("network rm kind")


def test_localstack(docker: Docker, tmp_path: Path) -> None:
    """CmdDockerClient, which reads every listing as JSON."""
    docker("network create lcs")
    docker("create --name lsi --interactive busybox cat")
    assert docker("start --interactive --attach lsi", stdin=b"fed") == "fed"
    docker("rm lsi")
    docker("run -d --name ls --network lcs --network-alias l --label a=b -p 127.0.0.1::4566 busybox sleep 1000")
    (row,) = [json.loads(line) for line in docker("ps -a --filter name=ls --format '{{json . }}'").splitlines()]
    assert (row["Names"], row["State"]) == ("ls", "running")
    assert json.loads(docker("inspect --format '{{json .}}' ls"))["Name"] == "/ls"
    assert json.loads(docker("stats --no-stream --format '{{json .}}' ls"))["Name"] == "ls"
    assert "busybox" in docker("images --format '{{.Repository}}:{{.Tag}}'")
    assert docker("exec --interactive --user 0 --workdir /tmp --env A=b ls sh -c 'cat; pwd; echo $A'", stdin=b"in\n") == "in\n/tmp\nb\n"
    docker("exec --detach ls touch /tmp/detached")
    (tmp_path / "file").write_text("copied")
    docker("cp file ls:/tmp/file")
    assert docker("exec ls cat /tmp/file") == "copied"
    docker("network create lcs2")
    docker("network connect --alias other lcs2 ls")
    docker("network disconnect lcs2 ls")
    docker("commit ls lcs:1")
    docker("stop --time 0 ls")
    docker("restart --time 0 ls")
    docker("login -u user -p secret 127.0.0.1:1", status=1)
    docker("rm -f --volumes ls")
    for words in ("network rm lcs lcs2", "rmi lcs:1"):
        docker(words)


def test_compose_as_testcontainers_runs_it(docker: Docker, tmp_path: Path) -> None:
    """And what the Dev Containers CLI asks of compose."""
    service = "{image: busybox, command: sh -c 'echo up; exec sleep 1000', ports: ['80'], init: true}"
    (tmp_path / "c.yaml").write_text(f"name: tcc\nservices:\n  web: {service}\n")
    (tmp_path / "e").write_text("A=b\n")
    flags = "compose -f c.yaml --profile p --env-file e"
    assert re.match(r"\d+\.\d+\.\d+", docker("compose version --short"))
    docker(f"{flags} up --wait")
    assert json.loads(docker(f"{flags} config --format json --no-path-resolution --no-normalize --no-interpolate"))["name"] == "tcc"
    (row,) = [json.loads(line) for line in docker(f"{flags} ps --format json -a").splitlines()]
    assert (row["Service"], row["State"]) == ("web", "running")
    assert row["Publishers"][0]["PublishedPort"] > 0
    assert "up" in docker(f"{flags} logs")
    assert docker(f"{flags} exec -T web cat", stdin=b"fed") == "fed"
    assert docker("ps -q -a --filter label=com.docker.compose.project=tcc --filter label=com.docker.compose.service=web").strip()
    docker(f"{flags} down --volumes")
