"""The calls of GitLab runner's docker executor, in its order: a network of the build, a service on it, helper and build containers
that share a volume, each fed its script by stdin after an attach that comes before the start (gitlab-runner#29108, #31043)."""

from __future__ import annotations

import json
import socket
import urllib.parse

from tests.harness.api import Answer, Service, frames, start


def _script(service: Service, image: str, script: str, *, network: str, name: str) -> tuple[int, list[tuple[int, bytes]]]:
    """Run one stage: its exit status and the frames of its output."""
    body = {
        "Image": image, "Cmd": ["sh"], "OpenStdin": True, "StdinOnce": True, "Tty": False, "WorkingDir": "/builds/group/project",
        "AttachStdin": True, "AttachStdout": True, "AttachStderr": True, "Env": ["CI=true"],
        "Labels": {"com.gitlab.gitlab-runner.managed": "true"},
        "HostConfig": {
            "Binds": ["runner-cache:/builds"], "NetworkMode": network, "RestartPolicy": {"Name": "no"}, "LogConfig": {"Type": "json-file"},
            "Privileged": False, "ShmSize": 0, "CpuShares": 0, "Memory": 0,
        },
        "NetworkingConfig": {"EndpointsConfig": {network: {"Aliases": ["build"]}}},
    }  # fmt: skip
    identifier = service("POST", f"/containers/create?name={name}", body, status=201).json["Id"]
    attached = service.connect()
    attached.sendall(
        f"POST /v1.44/containers/{identifier}/attach?stream=1&stdin=1&stdout=1&stderr=1 HTTP/1.1\r\nHost: docker\r\n"
        "Connection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: 0\r\n\r\n".encode()
    )
    received = attached.recv(65536)
    head, _, data = received.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 101 "), received
    start(service, identifier)
    attached.sendall(script.encode())
    attached.shutdown(socket.SHUT_WR)
    while piece := attached.recv(65536):
        data += piece
    attached.close()
    ended: Answer = service("POST", f"/containers/{identifier}/wait?condition=not-running")
    service("DELETE", f"/containers/{identifier}?force=1&v=1", status=204)
    return ended.json["StatusCode"], frames(data)


def test_a_job(service: Service, busybox_image: str) -> None:
    service("POST", "/volumes/create", {"Name": "runner-cache"}, status=201)
    service("POST", "/networks/create", {"Name": "runner-net", "Labels": {"com.gitlab.gitlab-runner.managed": "true"}}, status=201)
    served = {
        "Image": busybox_image, "Cmd": ["sh", "-c", "mkdir /w; echo served > /w/index.html; exec httpd -f -p 80 -h /w"],
        "HostConfig": {"NetworkMode": "runner-net"},
        "NetworkingConfig": {"EndpointsConfig": {"runner-net": {"Aliases": ["web", "group-web"]}}},
    }  # fmt: skip
    beside = service("POST", "/containers/create", served, status=201).json["Id"]
    start(service, beside)
    status, output = _script(
        service, busybox_image, "set -eu\necho fetched > source\necho to stderr >&2\n", network="runner-net", name="runner-predefined"
    )
    assert (status, output) == (0, [(2, b"to stderr\n")])
    job = "cat source\nuntil wget -qO- http://group-web/; do sleep 0.1; done 2>/dev/null\npwd\nexit 9\n"
    status, output = _script(service, busybox_image, job, network="runner-net", name="runner-build")
    assert status == 9
    assert b"".join(data for stream, data in output if stream == 1) == b"fetched\nserved\n/builds/group/project\n"
    managed = urllib.parse.quote(json.dumps({"label": ["com.gitlab.gitlab-runner.managed=true"]}))
    assert service("GET", f"/containers/json?all=1&filters={managed}").json == []
    service("DELETE", f"/containers/{beside}?force=1&v=1", status=204)
    service("DELETE", "/networks/runner-net", status=204)
    service("DELETE", "/volumes/runner-cache", status=204)
