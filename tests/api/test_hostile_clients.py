"""Clients that want something else than an answer: the service to end, a lock to be held, a page's request to be done."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.api.test_wire import to_the_end
from tests.harness import processes
from tests.harness.api import PATIENCE_S, Make, Service
from tests.harness.command import Rootless


@pytest.mark.parametrize("path", [b"/_ping", b"/version"])
@pytest.mark.parametrize("body", [b"ZZZ\r\n", b"-1\r\n", b"3\r\nabcX0\r\n\r\n"])
def test_a_damaged_body_does_not_end_the_service(idle: Service, path: bytes, body: bytes) -> None:
    """What the front answers by itself it reads by itself."""
    with idle.connect() as sock:
        sock.sendall(b"GET " + path + b" HTTP/1.1\r\nHost: docker\r\nTransfer-Encoding: chunked\r\n\r\n" + body)
        assert to_the_end(sock).count(b"HTTP/1.1 ") == 1
    assert idle("GET", "/_ping").body == b"OK"
    assert idle("GET", "/plugins").json == []


def test_clients_that_take_all_descriptors_do_not_end_the_service(rootless: Rootless) -> None:
    """One that comes when there are none is told to come again."""
    service = Service(rootless)
    limit = 60
    subprocess.run(["prlimit", f"--nofile={limit}:{limit}", "--pid", str(service.process.pid)], check=True)
    fds = Path(f"/proc/{service.process.pid}/fd")
    asks = service.connect()
    asks.sendall(b"GET /_ping HTTP/1.1\r\nHost: docker\r\n\r\n")
    assert asks.recv(4096).startswith(b"HTTP/1.1 200")
    held = [service.connect() for _ in range(limit)]
    try:
        processes.wait_until(lambda: len(os.listdir(fds)) == limit, "the last descriptor taken")
        asks.sendall(b"GET /plugins HTTP/1.1\r\nHost: docker\r\n\r\n")
        assert asks.recv(4096).startswith(b"HTTP/1.1 503")
    finally:
        for sock in (asks, *held):
            sock.close()
    processes.wait_until(lambda: service("GET", "/plugins", status=None).status == 200, "descriptors to be free again")
    assert service.stop() == 0


def test_a_page_in_a_browser_sends_no_json(idle: Service) -> None:
    """Where somebody has forwarded the socket to a port, a page of any site can post to it without asking: texts and forms, and
    what has no type, but no JSON (the Fetch standard's simple requests). As moby, a body without its type is none."""
    body = json.dumps({"Image": "x"}).encode()
    for headers in ({}, {"Content-Type": "text/plain"}, {"Content-Type": "application/x-www-form-urlencoded"}):
        answer = idle("POST", "/containers/create", body, headers=headers, status=400)
        assert "must be 'application/json'" in answer.message
    idle("POST", "/containers/create", body, headers={"Content-Type": "application/json; charset=utf-8"}, status=404)


@pytest.mark.parametrize("path", [
    "/containers/%2e%2e/json", "/containers/..%2f..%2fetc/json", "/containers/%2fetc/json", "/volumes/%2e%2e", "/volumes/..%2fcontainers",
    "/networks/%2e%2e%2fvolumes", "/networks/..", "/exec/%2e%2e/json", "/images/..%2f..%2fetc%2fpasswd/json", "/volumes/.",
    "/containers/%00/json", "/volumes/a%00b", "/containers/%0a/json", "/containers/" + "a" * 5000 + "/json", "/volumes/" + "a" * 5000,
    "/networks/" + "a" * 5000, "/exec/" + "a" * 64 + "/json", "/exec/" + "%e2%82%ac" * 64 + "/json", "/images/" + "a" * 5000 + "/json",
])  # fmt: skip
def test_names_of_the_path_are_names(idle: Service, path: str) -> None:
    for method in ("GET", "DELETE") if "/exec" not in path and not path.endswith("/json") else ("GET",):
        answer = idle(method, path, status=None)
        assert answer.status in (400, 404), answer


@pytest.mark.parametrize("filters", ['{"label":["\\ud800"]}', '{"label":{"\\ud800":true}}', '{"\\ud800":["x"]}', '{"name":["["]}',
                                     '{"status":[["running"]]}', '{"exited":["' + "9" * 5000 + '"]}', "[" * 5000, '{"id":[1e999]}',
                                     '{"before":["/../x"]}', '{"until":["' + "9" * 400 + '"]}'])  # fmt: skip
@pytest.mark.parametrize("path", ["/containers/json", "/images/json", "/volumes", "/networks", "/events", "/containers/prune"])
def test_filters_are_refused_not_fatal(idle: Service, path: str, filters: str) -> None:
    from urllib.parse import quote

    method = "POST" if path.endswith("prune") else "GET"
    answer = idle(method, f"{path}?until=1&filters={quote(filters)}", status=None)
    assert answer.status in (200, 400, 404), answer


@pytest.mark.parametrize("word", ["junk", "e30", "bnVsbA==", "\u00e9", "W" * 20000,
                                  "eyJ1c2VybmFtZSI6Ilx1ZDgwMCIsInBhc3N3b3JkIjoiaHVudGVyMiJ9"])  # fmt: skip
def test_credentials_that_are_none_are_in_no_answer(idle: Service, word: str) -> None:
    answer = idle("POST", "/images/create?fromImage=127.0.0.1:1/x&tag=1", b"", headers={"X-Registry-Auth": word}, status=None)
    assert answer.status in (400, 404, 500, 503)
    assert b"hunter2" not in answer.body
    assert b"internal error" not in answer.body
    assert word.encode("latin-1", "replace")[:40] not in answer.body or len(word) < 6


def big_file(service: Service, make: Make) -> str:
    """A container that has ended, with a file that no socket has room for."""
    identifier = make("sh", "-c", "dd if=/dev/zero of=/srv-big bs=1M count=24 2>/dev/null")
    service("POST", f"/containers/{identifier}/start", status=204)
    service("POST", f"/containers/{identifier}/wait")
    return identifier


@pytest.mark.parametrize("path", ["archive?path=/srv-big", "export"])
def test_who_never_reads_a_stopped_containers_files_holds_it_in_nobodys_way(service: Service, make: Make, path: str) -> None:
    identifier = big_file(service, make)
    with service.connect() as stuck:
        stuck.sendall(f"GET /v1.44/containers/{identifier}/{path} HTTP/1.1\r\nHost: docker\r\n\r\n".encode())
        assert stuck.recv(12) == b"HTTP/1.1 200"
        service("POST", f"/containers/{identifier}/start", status=204)
        service("POST", f"/containers/{identifier}/wait")
        service("DELETE", f"/containers/{identifier}?force=1", status=204)


def test_who_never_reads_an_archive_on_a_pipe_holds_it_in_nobodys_way(service: Service, make: Make) -> None:
    """`rootless cp x:/file - | less`, and the pager stays open."""
    identifier = big_file(service, make)
    for words in (("cp", f"{identifier}:/srv-big", "-"), ("export", identifier)):
        ours, theirs = os.pipe()
        argv = [*service.rootless.argv, *words]
        with subprocess.Popen(argv, env=service.rootless.environment, stdout=theirs, stderr=subprocess.PIPE) as reading:
            os.close(theirs)
            assert os.read(ours, 1)
            service.rootless("start", identifier)
            service.rootless("wait", identifier)
            reading.kill()
            os.close(ours)


def test_an_archive_is_whole_though_its_container_goes_meanwhile(service: Service, make: Make) -> None:
    """What is left of the end of a request wants no container any more."""
    identifier = make()
    with service.connect() as sock:
        sock.sendall(f"GET /v1.44/containers/{identifier}/archive?path=/etc/passwd HTTP/1.1\r\nHost: docker\r\n\r\n".encode())
        sock.settimeout(PATIENCE_S)
        found = b""
        while not found.endswith(b"0\r\n\r\n"):
            data = sock.recv(65536)
            assert data
            found += data


MOUNTPOINT_BELOW = r"""
import io, sys, tarfile
out = io.BytesIO()
with tarfile.open(fileobj=out, mode="w") as archive:
    archive.addfile(tarfile.TarInfo("holder"))
sys.stdout.buffer.write(out.getvalue())
"""


@pytest.mark.parametrize("runs", [False, True])
def test_a_file_that_replaces_a_directory_takes_nothing_of_the_host_along(service: Service, make: Make, tmp_path: Path, runs: bool) -> None:
    """Below it a directory of the host is mounted, on one of the image's that has files: from outside of the container's mount
    namespace both are open to who deletes."""
    host = tmp_path / "precious"
    host.mkdir()
    (host / "file").write_text("mine")
    # A layer of the container's own that has something where the mount comes.
    identifier = make("sleep", "1000", HostConfig={"Binds": [f"{host}:/holder/below"]})
    under = subprocess.run([sys.executable, "-c", MOUNTPOINT_BELOW], capture_output=True, check=True).stdout
    if runs:
        service("POST", f"/containers/{identifier}/start", status=204)
    answer = service("PUT", f"/containers/{identifier}/archive?path=/", under, status=409)
    assert "mounted" in answer.message
    assert (host / "file").read_text() == "mine"
    if runs:
        assert re.search(rb"file", service.rootless("exec", identifier, "ls", "/holder/below").raw)
