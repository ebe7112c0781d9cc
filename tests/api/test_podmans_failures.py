"""What other engines' compatible APIs were reported to get wrong: a test for each that no other file has.

Numbers are issues of podman's.
"""

from __future__ import annotations

import io
import json
import os
import socket
import tarfile
from typing import Any
from urllib.parse import quote

import pytest

from tests.harness.api import Make, Service, ended, frames, start

PYTHON = ["/usr:/usr:ro", "/lib:/lib:ro", "/lib64:/lib64:ro"]
"""The host's, over busybox."""
PING = """
import socket, sys
sock = socket.socket(socket.AF_UNIX)
sock.connect("/var/run/docker.sock")
sock.sendall(b"GET /_ping HTTP/1.0\\r\\n\\r\\n")
data = b""
while piece := sock.recv(4096):
    data += piece
sys.exit(0 if data.endswith(b"OK") else 3)
"""


def filters(**words: Any) -> str:
    return "filters=" + quote(json.dumps(words))


def test_deleting_and_stopping(service: Service, make: Make) -> None:
    """force makes no container out of none (25871); a timeout of -1 is none, not an error (17542); `v` takes what is anonymous."""
    assert "No such container" in service("DELETE", "/containers/nix?force=true&v=true", status=404).message
    identifier = make("sh", "-c", "trap exit TERM; while :; do sleep 0.1; done", HostConfig={"Binds": ["named:/n"]}, Volumes={"/a": {}})
    start(service, identifier)
    service("POST", f"/containers/{identifier}/stop?t=-1", status=204)
    service("DELETE", f"/containers/{identifier}?v=1", status=204)
    assert [each["Name"] for each in service("GET", "/volumes").json["Volumes"]] == ["named"]
    service("DELETE", "/volumes/named", status=204)


def test_what_was_made_is_shown_as_it_was_asked(service: Service, make: Make) -> None:
    """NetworkMode default (16915), mounts in the list (12734), NONE as a health check (14493), a working directory that is made
    (11842), mount targets that are not clean (18454), a platform (18951)."""
    identifier = make(
        "sh", "-c", "pwd; test -d /data/x", WorkingDir="/made/here", Healthcheck={"Test": ["NONE"]},
        HostConfig={"NetworkMode": "default", "Tmpfs": {"/data//x/": ""}},
    )  # fmt: skip
    (row,) = service("GET", "/containers/json?all=1").json
    assert [mount["Destination"] for mount in row["Mounts"]] == ["/data/x"]
    found = service("GET", f"/containers/{identifier}/json").json
    assert found["HostConfig"]["NetworkMode"] in ("default", "bridge")
    assert "bridge" in found["NetworkSettings"]["Networks"]
    assert "Health" not in found["State"] or not found["State"]["Health"]
    start(service, identifier)
    assert ended(service, identifier)["ExitCode"] == 0
    assert frames(service("GET", f"/containers/{identifier}/logs?stdout=1").body) == [(1, b"/made/here\n")]
    (image,) = service("GET", "/images/json").json
    own = service("GET", f"/images/{image['Id']}/json").json["Architecture"]
    body = {"Image": "busybox", "Cmd": ["true"]}
    made = service("POST", f"/containers/create?platform=linux/{own}", body, status=201).json["Id"]
    service("DELETE", f"/containers/{made}", status=204)
    assert service("POST", "/containers/create?platform=linux/s390x", body, status=404).message


def test_an_image_by_any_of_its_names(service: Service, make: Make, busybox_image: str) -> None:
    """With sha256: before all of an id, or before its beginning (11623, 17762)."""
    identifier = service("GET", "/images/busybox/json").json["Id"]
    for name in (identifier, identifier[:19], identifier[7:], identifier[7:19], "docker.io/library/busybox:latest"):
        assert service("GET", f"/images/{name}/json").json["Id"] == identifier
        assert service("GET", f"/containers/{make('true', Image=name)}/json").json["Image"] == identifier


@pytest.mark.own_store
def test_filters_of_images_all_have_to_hold(service: Service, busybox_image: str) -> None:
    """Not one of them (18412); several images in one archive are all loaded (the notes of 4.0)."""
    made = service("POST", "/containers/create", {"Image": "busybox", "Cmd": ["true"]}, status=201).json["Id"]
    for name in ("one", "two"):
        service("POST", f"/commit?container={made}&repo={name}&tag=1", {"Labels": {"kind": name, "all": ""}}, status=201)
    service("DELETE", f"/containers/{made}", status=204)

    def tags(**words: Any) -> list[str]:
        return sorted(tag for row in service("GET", f"/images/json?{filters(**words)}").json for tag in row["RepoTags"])

    assert tags(label=["kind=one", "all"]) == ["one:1"]
    assert tags(label=["all"], reference=["two"]) == ["two:1"]
    assert tags(label=["kind=one"], reference=["two"]) == []
    saved = service("GET", "/images/get?names=one:1&names=two:1").body
    for name in ("one", "two"):
        service("DELETE", f"/images/{name}:1")
    stream = service.open("GET", f"/events?since=1&{filters(type=['image'], label=['all'], event=['untag', 'delete'])}")
    told = [json.loads(stream.readline()) for _ in range(4)]
    stream.close()
    labels = [(each["Action"], each["Actor"]["Attributes"].get("kind")) for each in told]
    assert labels == [("untag", "one"), ("delete", "one"), ("untag", "two"), ("delete", "two")]
    said = [line.get("stream") for line in service("POST", "/images/load", saved).lines]
    assert {"Loaded image: one:1\n", "Loaded image: two:1\n"} <= set(said)
    assert tags(label=["all"]) == ["one:1", "two:1"]


def test_a_network_that_has_gone_breaks_no_list(service: Service, make: Make) -> None:
    """11828: of a container that was made on it."""
    service("POST", "/networks/create", {"Name": "going"}, status=201)
    identifier = make(HostConfig={"NetworkMode": "going"})
    service("POST", "/networks/going/disconnect", {"Container": identifier, "Force": True})
    service("DELETE", "/networks/going", status=204)
    assert [row["Id"] for row in service("GET", "/containers/json?all=1").json] == [identifier]
    assert service("GET", f"/containers/{identifier}/json").json["Id"] == identifier
    assert "going" not in [each["Name"] for each in service("GET", "/networks").json]


def attached(service: Service, identifier: str, query: str) -> socket.socket:
    sock = service.connect()
    upgrade = "Host: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n"
    sock.sendall(f"POST /containers/{identifier}/attach?{query} HTTP/1.1\r\n{upgrade}".encode())
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += sock.recv(1)
    assert head.startswith(b"HTTP/1.1 101")
    return sock


def to_the_end(sock: socket.socket) -> bytes:
    found = b""
    while data := sock.recv(65536):
        found += data
    return found


@pytest.mark.parametrize("tty", [True, False])
def test_what_is_typed_comes_back_once(service: Service, make: Make, tty: bool) -> None:
    """And the end of input is one (19901): of a terminal a ^D, else the end of sending."""
    identifier = make("cat", Tty=tty, OpenStdin=True, StdinOnce=True)
    with attached(service, identifier, "stream=1&stdin=1&stdout=1&stderr=1") as sock:
        start(service, identifier)
        sock.sendall(b"typed\n")
        said = b""
        while said.count(b"typed") < (2 if tty else 1):
            said += sock.recv(4096)
        sock.sendall(b"\x04") if tty else sock.shutdown(socket.SHUT_WR)
        said += to_the_end(sock)
    assert said == (b"typed\r\ntyped\r\n" if tty else b"\x01\0\0\0\0\0\0\x06typed\n")
    assert ended(service, identifier)["ExitCode"] == 0


def test_nothing_of_a_short_life_is_missed(service: Service, make: Make) -> None:
    """12904, 23757: attached before the start, of what ends at once."""
    identifier = make("sh", "-c", "echo out; echo err >&2")
    for _ in range(5):
        with attached(service, identifier, "stream=1&stdout=1&stderr=1") as sock:
            start(service, identifier)
            assert sorted(frames(to_the_end(sock))) == [(1, b"out\n"), (2, b"err\n")]


def test_who_shares_a_network_is_made_again(service: Service, make: Make) -> None:
    """23898: `up --force-recreate` where a service has another's network."""
    for _ in range(2):
        server = make(name="server")
        start(service, server)
        client = make(name="client", HostConfig={"NetworkMode": f"container:{server}"})
        start(service, client)
        for identifier in (client, server):
            service("DELETE", f"/containers/{identifier}?force=1", status=204)


@pytest.mark.skipif(os.path.lexists("/var/run/docker.sock"), reason="this host has a docker.sock, which is then meant")
def test_dockers_socket_is_this_services(service: Service, make: Make) -> None:
    """By its name on Docker's hosts, where this one has none (29 of the client's habits): as --use-api-socket and ryuk ask for it."""
    bind = {"Type": "bind", "Source": "/var/run/docker.sock", "Target": "/var/run/docker.sock", "BindOptions": {"CreateMountpoint": True}}
    asked: list[dict[str, Any]] = [
        {"Binds": [*PYTHON, "/var/run/docker.sock:/var/run/docker.sock:ro"]},
        {"Binds": PYTHON, "Mounts": [{**bind, "Source": "//var/run/../run/docker.sock"}]},
    ]
    for host in asked:
        identifier = make("/usr/bin/python3", "-c", PING, HostConfig=host, Env=["DOCKER_CONFIG=/run/secrets/docker"])
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w") as archive:
            archive.addfile(tarfile.TarInfo("run/secrets/docker/config.json"))
        service("PUT", f"/containers/{identifier}/archive?path=/", out.getvalue(), headers={"Content-Type": "application/x-tar"})
        start(service, identifier)
        assert ended(service, identifier)["ExitCode"] == 0
        mounts = {mount["Destination"]: mount["Source"] for mount in service("GET", f"/containers/{identifier}/json").json["Mounts"]}
        assert mounts["/var/run/docker.sock"] == str(service.path)
    refused = service.rootless("create", "-v", "/var/run/docker.sock:/x", "busybox", "true", status=None)
    assert "$XDG_RUNTIME_DIR/docker.sock:/var/run/docker.sock" in refused.stderr
    other = {"HostConfig": {"Binds": ["/var/run/podman.sock:/x"]}, "Image": "busybox", "Cmd": ["true"]}
    assert "/var/run" in service("POST", "/containers/create", other, status=400).message


def test_docker_run_with_its_socket(service: Service, busybox_image: str) -> None:
    done = service.docker("run", "--help")
    if b"--use-api-socket" not in done.stdout:
        pytest.skip("this docker command has no --use-api-socket")
    words = ["-v", "/usr:/usr:ro", "-v", "/lib:/lib:ro", "-v", "/lib64:/lib64:ro", "busybox", "/usr/bin/python3", "-c", PING]
    service.docker("run", "--rm", "--use-api-socket", *words)


def test_there_are_no_sessions(idle: Service) -> None:
    """BuildKit's session is refused in words, as its calls are."""
    assert "DOCKER_BUILDKIT=0" in idle("POST", "/session", b"", status=501).message


@pytest.mark.parametrize("header", ["e30", "e30=", "bnVsbA", "W10", "!", "eyJ1c2VybmFtZSI6MX0"])
def test_credentials_of_any_kind_are_none(service: Service, busybox_image: str, header: str) -> None:
    """20: without padding, empty, null, junk; for a build a map of them."""
    headers = {"X-Registry-Auth": header, "X-Registry-Config": header, "Content-Type": "application/x-tar"}
    assert service("POST", "/images/busybox/tag?repo=same", headers=headers, status=201)
    assert service("DELETE", "/images/same", headers=headers).json == [{"Untagged": "same:latest"}]
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        info = tarfile.TarInfo("Dockerfile")
        info.size = len(b"FROM busybox\n")
        archive.addfile(info, io.BytesIO(b"FROM busybox\n"))
    assert "error" not in service("POST", "/build?q=1", out.getvalue(), headers=headers).lines[-1]
