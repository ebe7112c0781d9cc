"""What is in a container's and a volume's directories, and plain files of them: routes of ours."""

from __future__ import annotations

import io
import tarfile
from typing import Any
from urllib.parse import quote

from tests.api.test_archive import members, tar
from tests.harness.api import Make, Service, start

HOSTILE = 'a <b>"&\n\x1b]0;x\x07'


def entries(document: Any) -> dict[str, Any]:
    return {each["Name"]: each for each in document["Entries"]}


def test_a_containers_directories_and_files(service: Service, make: Make) -> None:
    """Running and not: hostile names, links that lead out, what is no file. Links end in the container's root."""
    identifier = make(
        "sh", "-c", "cd /tmp; printf '\\0\\377<' >'" + HOSTILE + "'; ln -s ../../../../etc/passwd out; ln -s / root; ln -s loop loop; "
        "mkfifo pipe; mkdir -m 1777 sub; touch \"$(printf 'x\\377')\"; chown 3:4 sub; echo; sleep 1000",
    )  # fmt: skip
    base = f"/rootless/containers/{identifier}"
    assert "bin" in entries(service("GET", f"{base}/files").json)
    start(service, identifier)
    with service.open("GET", f"/containers/{identifier}/logs?stdout=1&follow=1") as log:
        log.read(9)  # it has been done
    found = service("GET", f"{base}/files?path=/tmp/.//x/../").json
    assert (found["Path"], found["More"], found["Entry"]["Type"]) == ("/tmp", False, "directory")
    names = entries(found)
    assert set(names) == {HOSTILE, "out", "root", "loop", "pipe", "sub", "x\N{REPLACEMENT CHARACTER}"}
    assert [names[name]["Type"] for name in (HOSTILE, "out", "pipe", "sub")] == ["file", "link", "fifo", "directory"]
    assert (names[HOSTILE]["Size"], names[HOSTILE]["Named"], names["x\N{REPLACEMENT CHARACTER}"]["Named"]) == (3, True, False)
    assert names["out"]["Target"] == "../../../../etc/passwd"
    assert (names["sub"]["Mode"], names["sub"]["Uid"], names["sub"]["Gid"]) == ("drwxrwxrwt", 3, 4)
    answer = service("GET", f"{base}/file?path=/tmp/{quote(HOSTILE)}")
    assert (answer.body, answer.headers["content-type"]) == (b"\0\xff<", "application/octet-stream")
    inside = service.rootless("exec", identifier, "cat", "/etc/passwd").stdout.encode()
    for path in ("/tmp/out", "/tmp/root/etc/passwd", "/../../etc/passwd", "/tmp/root/../../../etc/passwd"):
        assert service("GET", f"{base}/file?path={path}").body == inside, path
    assert service("GET", f"{base}/files?path=/tmp/out").json["Entries"] is None
    for path in ("/tmp/pipe", "/tmp/sub", "/dev/zero", "/proc/kmsg", "/proc/1/environ", "/"):
        assert service("GET", f"{base}/file?path={path}", status=None).status in (404, 501), path
    for path, status in (("/nowhere", 404), ("/tmp/pipe/x", 404), ("/tmp/loop", 400), ("/" + "x" * 300, 400), ("/%00", 400), ("/%ff", 400)):
        assert service("GET", f"{base}/files?path={path}", status=status).message
        assert service("GET", f"{base}/file?path={path}", status=status).message
    service.rootless("kill", identifier)
    service.rootless("wait", identifier)
    assert HOSTILE in entries(service("GET", f"{base}/files?path=/tmp").json)
    assert service("GET", f"{base}/file?path=/tmp/{quote(HOSTILE)}").body == b"\0\xff<"


def test_a_volumes_files_without_a_container(service: Service, make: Make) -> None:
    """Put in, listed, taken out; a link of it ends in it."""
    service("POST", "/volumes/create", {"Name": "data"}, status=201)
    base = "/rootless/volumes/data"
    assert service("GET", f"{base}/files").json["Entries"] == []
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, target in (("up", "../../../../../etc/passwd"), ("away", "/etc")):
            link = tarfile.TarInfo(name)
            link.type, link.linkname = tarfile.SYMTYPE, target
            archive.addfile(link)
        inner = tarfile.TarInfo("sub")
        inner.type, inner.mode = tarfile.DIRTYPE, 0o755
        archive.addfile(inner)
    service("PUT", f"{base}/archive", out.getvalue())
    service("PUT", f"{base}/archive?path=/sub", tar(hello=b"world"))
    service("PUT", f"{base}/archive?path=/sub", tar(hello=b"again"))
    service("PUT", f"{base}/archive?path=/none", tar(hello=b"world"), status=404)
    service("PUT", f"{base}/archive?path=/away", tar(hello=b"world"), status=404)
    service("PUT", f"{base}/archive", b"no tar", status=400)
    assert set(entries(service("GET", f"{base}/files?path=/").json)) == {"up", "away", "sub"}
    (hello,) = service("GET", f"{base}/files?path=/sub").json["Entries"]
    assert (hello["Name"], hello["Size"], hello["Mode"], hello["Uid"], hello["Gid"]) == ("hello", 5, "-rw-r-----", 3, 4)
    assert service("GET", f"{base}/file?path=/sub/hello").body == b"again"
    for path in ("/up", "/away/passwd", "/../../etc/passwd", "/away"):
        assert "volume data" in service("GET", f"{base}/file?path={path}", status=404).message
    assert set(members(service("GET", f"{base}/archive").body)) == {".", "./up", "./away", "./sub", "./sub/hello"}
    assert set(members(service("GET", f"{base}/archive?path=/sub").body)) == {"sub", "sub/hello"}
    assert set(members(service("GET", f"{base}/archive?path=/up").body)) == {"up"}
    service("GET", f"{base}/archive?path=/none", status=404)
    for name in ("none", "..%2fcontainers", "%2e%2e"):
        for path in ("files", "file", "archive"):
            assert service("GET", f"/rootless/volumes/{name}/{path}", status=None).status in (400, 404)
    service("DELETE", "/volumes/data", status=204)


def test_projects_are_what_compose_made(service: Service, make: Make, tmp_path: Any) -> None:
    """An image's labels name no project, and no file of the host's."""
    file = tmp_path / "compose.yaml"
    label = "com.docker.compose."
    base = make(name="base", Labels={f"{label}project": "evil", f"{label}config-hash": "x", f"{label}project.config_files": "/etc/passwd"})
    service.rootless("commit", "-q", base, "evil:latest")
    service.rootless("rm", "-f", base)
    make(name="said", Image="evil:latest")
    file.write_text("name: real\nservices: {one: {image: evil:latest, command: sleep 1000, network_mode: none, stop_grace_period: 0s}}\n")
    service.rootless("compose", "-f", str(file), "up", "-d", "--quiet-pull")
    (project,) = service("GET", "/rootless/projects").json
    assert (project["Name"], project["ConfigFiles"], project["Directory"]) == ("real", [str(file)], str(tmp_path))
    assert len(project["Containers"]) == 1
    service.rootless("compose", "-f", str(file), "down")
    service.rootless("rm", "-f", "said")
    service.rootless("rmi", "evil:latest")
