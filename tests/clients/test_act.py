"""The calls of act (GitHub's workflows on one's own machine), in its order: a job's container that does nothing, files put into
it, one exec with a terminal for each step, what steps have written read back (its pkg/container, docker_run.go)."""

from __future__ import annotations

import io
import tarfile
from typing import Any

from tests.api.test_attach import hijack, rest
from tests.harness.api import Service, start


def _archive(files: dict[str, str]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(text), 0o644
            tar.addfile(entry, io.BytesIO(text.encode()))
    return out.getvalue()


def _step(service: Service, job: str, script: str, env: list[str]) -> tuple[int, str]:
    body = {"Cmd": ["sh", "-e", script], "WorkingDir": "/work", "Env": env, "Tty": True, "AttachStdout": True, "AttachStderr": True}
    execution = service("POST", f"/containers/{job}/exec", body, status=201).json["Id"]
    sock, head = hijack(service, f"/exec/{execution}/start", body=b'{"Tty": true}')
    assert head.startswith(b"HTTP/1.1 101 "), head
    said = rest(sock).decode()
    return service("GET", f"/exec/{execution}/json").json["ExitCode"], said


def _written(service: Service, job: str, path: str) -> str:
    with tarfile.open(fileobj=io.BytesIO(service("GET", f"/containers/{job}/archive?path={path}").body)) as tar:
        (entry,) = tar.getmembers()
        return tar.extractfile(entry).read().decode()  # type: ignore[union-attr]


def test_a_job(service: Service, busybox_image: str) -> None:
    assert service("GET", "/info").json["OSType"] == "linux"
    image = service("GET", f"/images/{busybox_image}/json").json
    assert image["Os"] == "linux"
    wanted = {"Name": "act-ci-build-network", "Driver": "bridge", "Scope": "local"}
    network = service("POST", "/networks/create", wanted, status=201).json["Id"]
    job: dict[str, Any] = {
        "Image": busybox_image, "Cmd": None, "Entrypoint": ["tail", "-f", "/dev/null"], "WorkingDir": "/work", "Tty": True,
        "Env": ["RUNNER_OS=Linux", "ACT=true"], "ExposedPorts": {},
        "HostConfig": {
            "CapAdd": None, "CapDrop": None, "Privileged": False, "UsernsMode": "", "PortBindings": None, "AutoRemove": False,
            "Binds": ["/var/run/docker.sock:/var/run/docker.sock"], "NetworkMode": "act-ci-build-network",
            "Mounts": [{"Type": "volume", "Source": "act-toolcache", "Target": "/opt/hostedtoolcache"},
                       {"Type": "volume", "Source": "act-ci-build", "Target": "/work"}],
        },
        "NetworkingConfig": {"EndpointsConfig": {"act-ci-build-network": {"Aliases": ["build"]}}},
    }  # fmt: skip
    made = service("POST", f"/containers/create?name=act-ci-build&platform=linux/{image['Architecture']}", job, status=201).json["Id"]
    start(service, made)
    scripts = {
        "workflow/0": 'echo "$RUNNER_OS $INPUT_WHO"; test -t 1; echo NAME=value >>"$GITHUB_ENV"; test -S /var/run/docker.sock',
        "workflow/1": "echo $NAME; exit 3",
        "workflow/envs.txt": "",
    }
    assert _step_of_root(service, made, "mkdir -m 0777 -p /var/run/act") == 0
    service("PUT", f"/containers/{made}/archive?path=/var/run/act&noOverwriteDirNonDir=true", _archive(scripts),
            headers={"Content-Type": "application/x-tar"})  # fmt: skip
    given = "/var/run/act/workflow"
    assert _step(service, made, f"{given}/0", [f"GITHUB_ENV={given}/envs.txt", "INPUT_WHO=act"]) == (0, "Linux act\r\n")
    assert _written(service, made, f"{given}/envs.txt") == "NAME=value\n"
    assert _step(service, made, f"{given}/1", ["NAME=value"]) == (3, "value\r\n")
    service("DELETE", f"/containers/{made}?v=1&force=1", status=204)
    service("DELETE", "/volumes/act-ci-build?force=1", status=204)
    service("DELETE", "/volumes/act-toolcache?force=1", status=204)
    service("DELETE", f"/networks/{network}", status=204)


def _step_of_root(service: Service, job: str, command: str) -> int:
    """One that shows nothing: `mkdir` of directories before files are put there."""
    execution = service("POST", f"/containers/{job}/exec", {"Cmd": ["sh", "-c", command], "User": "0", "AttachStdout": True}, status=201)
    identifier = execution.json["Id"]
    sock, _ = hijack(service, f"/exec/{identifier}/start", body=b'{"Detach": false}')
    rest(sock)
    return int(service("GET", f"/exec/{identifier}/json").json["ExitCode"])
