"""Images, volumes, networks and builds by the API."""

from __future__ import annotations

import base64
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from tests.harness import processes
from tests.harness.api import Make, Service, start
from tests.harness.registry import Registry

own = pytest.mark.own_store


def context(**files: str) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, text in files.items():
            info = tarfile.TarInfo(name.replace("_", "/"))
            info.size = len(text)
            archive.addfile(info, io.BytesIO(text.encode()))
    return out.getvalue()


@own
def test_a_list_and_its_names(service: Service, busybox_image: str) -> None:
    (row,) = service("GET", "/images/json").json
    assert row["RepoTags"] == ["busybox:latest"]
    assert isinstance(row["Created"], int)
    assert row["Id"].startswith("sha256:")
    assert (row["SharedSize"], row["Containers"]) == (-1, -1)
    service("POST", "/images/busybox/tag?repo=example.com/team/app&tag=v1", status=201)
    found = service("GET", "/images/example.com/team/app:v1/json").json
    assert found["Id"] == row["Id"]
    assert sorted(found["RepoTags"]) == ["busybox:latest", "example.com/team/app:v1"]
    filters = '{"reference":{"example.com/team/app":true}}'.replace('"', "%22")
    (filtered,) = service("GET", f"/images/json?filters={filters}").json
    assert filtered["RepoTags"] == ["example.com/team/app:v1"]
    assert service("DELETE", "/images/example.com/team/app:v1").json == [{"Untagged": "example.com/team/app:v1"}]
    assert service("GET", f"/images/{row['Id'][7:19]}/json").json["Id"] == row["Id"]
    assert service("GET", "/images/nix/json", status=404).message.startswith("No such image: nix")


@own
def test_history_and_removal(service: Service, busybox_image: str) -> None:
    steps = service("GET", "/images/busybox/history").json
    assert steps[0]["Tags"] == ["busybox:latest"]
    assert isinstance(steps[0]["Created"], int)
    made = service("POST", "/containers/create", {"Image": "busybox", "Cmd": ["true"]}, status=201).json["Id"]
    assert "conflict" in service("DELETE", "/images/busybox", status=409).message
    service("DELETE", f"/containers/{made}", status=204)
    gone = service("DELETE", "/images/busybox").json
    assert gone[0] == {"Untagged": "busybox:latest"}
    assert gone[1]["Deleted"].startswith("sha256:")
    assert service("GET", "/images/json").json == []


@own
def test_images_go_out_and_in(service: Service, busybox_image: str) -> None:
    answer = service("GET", "/images/get?names=busybox:latest")
    assert answer.headers["content-type"] == "application/x-tar"
    with tarfile.open(fileobj=io.BytesIO(answer.body)) as archive:
        assert "manifest.json" in archive.getnames()
    assert service("GET", "/images/busybox/get").body == answer.body
    service("GET", "/images/get?names=nix", status=404)
    service("DELETE", "/images/busybox")
    loaded = service("POST", "/images/load", answer.body, headers={"Content-Type": "application/x-tar"})
    assert loaded.headers["content-type"] == "application/json"
    assert loaded.lines[-1] == {"stream": "Loaded image: busybox:latest\n"}
    assert service("POST", "/images/load", b"junk", status=None).status in (400, 500)


@own
def test_pull_and_push_tell_their_progress(service: Service, busybox_image: str, registry: Registry) -> None:
    name = f"{registry.address}/api/busybox"
    service("POST", f"/images/busybox/tag?repo={name}&tag=1", status=201)
    auth = base64.urlsafe_b64encode(b"{}").decode()
    pushed = service("POST", f"/images/{name}/push?tag=1", b"", headers={"X-Registry-Auth": auth})
    assert pushed.headers["content-type"] == "application/json"
    (aux,) = [line["aux"] for line in pushed.lines if "aux" in line]
    assert aux["Tag"] == "1"
    assert aux["Digest"].startswith("sha256:")
    found = service("GET", f"/distribution/{name}:1/json").json
    assert found["Descriptor"]["digest"] == aux["Digest"]
    assert found["Platforms"][0]["os"] == "linux"
    service("DELETE", f"/images/{name}:1")
    service("DELETE", "/images/busybox")
    pulled = service("POST", f"/images/create?fromImage={name}&tag=1", b"", headers={"X-Registry-Auth": "!nonsense!"})
    assert pulled.lines[0] == {"status": f"Pulling from {name}", "id": "1"}
    assert any(line.get("progressDetail") is not None and line.get("id") for line in pulled.lines)
    assert pulled.lines[-1] == {"status": f"Status: Downloaded newer image for {name}:1"}
    again = service("POST", f"/images/create?fromImage={name}:1")
    assert again.lines[-1] == {"status": f"Status: Image is up to date for {name}:1"}
    service("POST", f"/images/create?fromImage={name}&tag={aux['Digest']}")
    missing = service("POST", f"/images/create?fromImage={name}&tag=none", status=404)
    assert missing.message
    service("POST", f"/images/create?fromImage={name}")  # all tags
    service("POST", "/images/create?fromImage=UPPER", status=400)
    service("POST", f"/images/{registry.address}/nix/push?tag=1", status=404)


@own
def test_import_and_commit(service: Service, busybox_image: str) -> None:
    answer = service("POST", "/images/create?fromSrc=-&repo=imported&tag=1&changes=CMD%20%5B%22x%22%5D", context(hello="x"))
    assert answer.lines[-1]["status"].startswith("sha256:")
    assert service("GET", "/images/imported:1/json").json["Config"]["Cmd"] == ["x"]
    made = service("POST", "/containers/create", {"Image": "busybox", "Cmd": ["true"]}, status=201).json["Id"]
    config = {"Cmd": ["sh", "-c", "a b"], "Env": ["A=b $c \"d\""], "Labels": {"k": "v w"}, "WorkingDir": "/x y"}
    image = service("POST", f"/commit?container={made}&repo=committed&tag=2&comment=why&author=me", config, status=201).json["Id"]
    found = service("GET", "/images/committed:2/json").json
    assert found["Id"] == image
    assert found["Config"]["Cmd"] == ["sh", "-c", "a b"]
    assert 'A=b $c "d"' in found["Config"]["Env"]
    assert (found["Config"]["Labels"]["k"], found["Config"]["WorkingDir"]) == ("v w", "/x y")
    service("POST", f"/commit?container={made}", {"User": "x\nRUN evil"}, status=400)
    service("DELETE", f"/containers/{made}", status=204)


@own
def test_prune_of_images(service: Service, busybox_image: str) -> None:
    assert service("POST", "/images/prune").json == {"ImagesDeleted": [], "SpaceReclaimed": 0}
    filters = '{"dangling":{"false":true}}'.replace('"', "%22")
    gone = service("POST", f"/images/prune?filters={filters}").json
    assert {"Untagged": "busybox:latest"} in gone["ImagesDeleted"]


def test_volumes(service: Service) -> None:
    made = service("POST", "/volumes/create", {"Name": "data", "Labels": {"a": "b"}}, status=201).json
    assert (made["Name"], made["Driver"], made["Labels"], made["Scope"]) == ("data", "local", {"a": "b"}, "local")
    anonymous = service("POST", "/volumes/create", {}, status=201).json["Name"]
    assert len(anonymous) == 64
    listed = service("GET", "/volumes").json
    assert {each["Name"] for each in listed["Volumes"]} == {"data", anonymous}
    assert service("GET", "/volumes/data").json == made
    assert "no such volume" in service("GET", "/volumes/nix", status=404).message
    assert service("POST", "/volumes/prune").json["VolumesDeleted"] == [anonymous]
    service("DELETE", "/volumes/data", status=204)
    service("DELETE", "/volumes/data", status=404)
    service("DELETE", "/volumes/data?force=1", status=204)
    service("POST", "/volumes/create", {"Name": "../../etc"}, status=400)
    service("POST", "/volumes/create", {"Name": "x" * 10, "Driver": "nfs"}, status=501)
    assert service("GET", "/volumes").json == {"Volumes": [], "Warnings": []}


def test_a_volume_in_use_is_409(service: Service, make: Make) -> None:
    make(HostConfig={"Binds": ["used:/v"]})
    assert "in use" in service("DELETE", "/volumes/used", status=409).message


def test_networks(service: Service, make: Make) -> None:
    body = {
        "Name": "apinet", "CheckDuplicate": True, "Labels": {"a": "b"}, "Options": {"com.docker.network.driver.mtu": "1400"},
        "IPAM": {"Driver": "default", "Config": [{"Subnet": "10.123.7.0/24", "Gateway": "10.123.7.1"}]},
    }  # fmt: skip
    identifier = service("POST", "/networks/create", body, status=201).json["Id"]
    service("POST", "/networks/create", body, status=409)
    found = service("GET", f"/networks/{identifier[:12]}").json
    assert found["IPAM"]["Config"][0]["Subnet"] == "10.123.7.0/24"
    assert found["Containers"] == {}
    container = make()
    service("POST", "/networks/apinet/connect", {"Container": container, "EndpointConfig": {"Aliases": ["db"]}})
    service("POST", "/networks/apinet/connect", {"Container": container}, status=403)
    start(service, container)
    there = service("GET", "/networks/apinet").json["Containers"]
    assert there[container]["IPv4Address"].endswith("/24")
    assert "Networks" in service("GET", f"/containers/{container}/json").json["NetworkSettings"]
    assert "active endpoints" in service("DELETE", "/networks/apinet", status=403).message
    service("POST", "/networks/apinet/disconnect", {"Container": container, "Force": True})
    service("DELETE", "/networks/apinet", status=204)
    service("DELETE", "/networks/apinet", status=404)
    assert "pre-defined" in service("DELETE", "/networks/bridge", status=403).message


def test_the_default_networks_are_there(service: Service) -> None:
    """Where bridge is not listed, or has no gateway, clients make networks of their own."""
    listed = {each["Name"]: each for each in service("GET", "/networks").json}
    assert set(listed) == {"bridge", "host", "none"}
    bridge = service("GET", "/networks/bridge").json
    assert bridge["Driver"] == "bridge"
    assert bridge["IPAM"]["Config"][0]["Gateway"]
    assert bridge["Options"]["com.docker.network.driver.mtu"]
    filters = '{"name":["^kind$"]}'.replace('"', "%22")
    assert service("GET", f"/networks?filters={filters}").json == []
    service("POST", "/networks/create", {"Name": "x", "Driver": "overlay"}, status=501)
    service("POST", "/networks/create", {"Name": "bridge"}, status=400)
    service("POST", "/networks/create", {"Name": "x" * 9, "IPAM": {"Config": [{"Subnet": "nonsense"}]}}, status=400)


def test_a_container_on_a_network_of_ones_own(service: Service, make: Make) -> None:
    service("POST", "/networks/create", {"Name": "own"}, status=201)
    config = {"HostConfig": {"NetworkMode": "own"}, "NetworkingConfig": {"EndpointsConfig": {"own": {"Aliases": ["web"]}}}}
    identifier = make(**config)
    found = service("GET", f"/containers/{identifier}/json").json
    assert found["HostConfig"]["NetworkMode"] == "own"
    assert found["NetworkSettings"]["Networks"]["own"]["Aliases"] == ["web"]
    service("DELETE", f"/containers/{identifier}?force=1", status=204)
    service("DELETE", "/networks/own", status=204)


@pytest.fixture
def built(service: Service, busybox_image: str) -> Any:
    """Posts a context to /build; the lines of the answer."""

    def build(query: str, data: bytes, *, status: int | None = 200) -> Any:
        return service("POST", f"/build?{query}", data, headers={"Content-Type": "application/x-tar"}, status=status)

    return build


@own
def test_a_build(service: Service, built: Any) -> None:
    dockerfile = "FROM busybox\nARG WHO=nobody\nCOPY hello /\nRUN cat /hello; echo by $WHO\nLABEL a=b\n"
    arguments = json.dumps({"WHO": "me", "UNSET": None}).replace('"', "%22").replace(" ", "")
    query = f"t=made:1&t=made:2&buildargs={arguments}&cachefrom=[]&ulimits=null&labels=%7B%22c%22:%22d%22%7D&rm=1&pull=0&nocache=1"
    answer = built(query, context(Dockerfile=dockerfile, hello="world\n"))
    assert answer.headers["content-type"] == "application/json"
    said = "".join(line.get("stream", "") for line in answer.lines)
    assert "by me" in said
    (aux,) = [line["aux"] for line in answer.lines if "aux" in line]
    assert f"Successfully built {aux['ID'][7:19]}\n" in said
    assert said.endswith("Successfully tagged made:1\nSuccessfully tagged made:2\n")
    found = service("GET", "/images/made:2/json").json
    assert found["Id"] == aux["ID"]
    assert found["Config"]["Labels"] == {"a": "b", "c": "d"}
    quiet = built("q=1", context(Dockerfile=dockerfile, hello="world\n"))
    assert quiet.lines[-1]["stream"].startswith("sha256:")


@own
def test_builds_that_fail_say_so_in_the_stream(service: Service, built: Any) -> None:
    answer = built("", context(Dockerfile="FROM busybox\nRUN false\n"))
    assert answer.lines[-1]["error"] == answer.lines[-1]["errorDetail"]["message"]
    assert "false" in answer.lines[-1]["error"]
    for query, data, status in (
        ("buildargs=junk", b"", 400), ("version=2", b"", 501), ("networkmode=nix", b"", 501), ("remote=/etc/passwd", b"", 400),
        ("outputs=type%3Dlocal", b"", 501), ("extrahosts=a%0Ab", b"", 400),
    ):  # fmt: skip
        assert built(query, data or context(Dockerfile="FROM busybox\n"), status=status).message
    junk = built("", b"this is no tar" * 100, status=None)
    assert junk.status in (400, 500) or "error" in junk.lines[-1]


@own
def test_a_context_reads_no_file_of_ours(service: Service, built: Any, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("hidden")
    answer = built("dockerfile=../../../../.." + str(secret), context(Dockerfile="FROM busybox\n"), status=None)
    assert b"hidden" not in answer.body
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, text in (("Dockerfile", "FROM busybox\nCOPY link /copied\nRUN cat /copied\n"),):
            info = tarfile.TarInfo(name)
            info.size = len(text)
            archive.addfile(info, io.BytesIO(text.encode()))
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, str(secret)
        archive.addfile(link)
    assert b"hidden" not in built("", out.getvalue(), status=None).body


def test_a_client_that_vanishes_ends_its_build(service: Service, built: Any) -> None:
    data = context(Dockerfile="FROM busybox\nRUN sleep 1000\n")
    with service.connect() as sock:
        sock.sendall(b"POST /build HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s" % (len(data), data))
        said = b""
        while b"RUN sleep" not in said:
            said += sock.recv(65536)

    def over() -> bool:
        return not any("sleep 1000" in each.command for each in processes.descendants().values())

    processes.wait_until(over, "the end of its RUN")
