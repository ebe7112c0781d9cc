"""Files of containers and volumes: listed, taken away, brought; whatever they are called, and whatever is in them."""

from __future__ import annotations

import html
import io
import json
import os
import subprocess
import tarfile
from pathlib import Path
from urllib.parse import quote

from tests.harness.command import Rootless
from tests.harness.console import Answer, Browser, Console

HOSTILE = '<img src=x onerror=alert(1)>"&\n\x1b]0;x\x07\u202e;filename=x.html'
PAGE = b"<!doctype html><script>alert(document.domain)</script>"


def taken_away(answer: Answer) -> bytes:
    """What a browser saves, and shows under no circumstances."""
    assert answer.status == 200, answer
    assert answer.headers["content-disposition"].startswith("attachment; filename=")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-security-policy"] == "sandbox"
    assert answer.headers["content-type"] in ("application/octet-stream", "application/x-tar")
    return answer.body


def test_files_of_a_container(browser: Browser, box: str, rootless: Rootless, tmp_path: Path) -> None:
    strange = 'touch "$(printf "x\\377")"'
    rootless("exec", box, "sh", "-c", f"cd /tmp; ln -s ../../../../../etc/shadow out; ln -s / root; mkfifo pipe; {strange}")
    where = f"/containers/{box}/files"
    assert f'href="{where}"' in browser.page(f"/containers/{box}")
    answer = browser.upload(f"{where}?path=/tmp&name={quote(HOSTILE)}", PAGE)
    assert answer.status == 200, answer
    page = browser.page(f"{where}?path=/tmp/./x/..")
    assert "<img src=x" not in page
    assert html.escape("<img src=x onerror=alert(1)>") in page
    assert not set(page) & set("\x1b\x07\u202e")
    assert page.count("in the directory&#39;s tar alone") + page.count("in the directory's tar alone") == 1
    answer = browser.get(f"/containers/{box}/file?path=/tmp/{quote(HOSTILE)}")
    assert taken_away(answer) == PAGE
    assert answer.headers["content-disposition"].count('"') == 2
    assert not set(answer.headers["content-disposition"]) & set("\n\x1b\x07<>")
    with tarfile.open(fileobj=io.BytesIO(taken_away(browser.get(f"/containers/{box}/files.tar?path=/tmp")))) as archive:
        found = archive.extractfile(f"tmp/{HOSTILE}")
        assert found
        assert found.read() == PAGE
        assert "tmp/x\udcff" in archive.getnames()
        assert archive.getmember("tmp/out").linkname == "../../../../../etc/shadow"
    # Links end in the container: its own shadow file, not the machine's.
    inside = rootless("exec", box, "cat", "/etc/passwd").stdout.encode()
    assert taken_away(browser.get(f"/containers/{box}/file?path=/tmp/root/etc/passwd")) == inside
    assert taken_away(browser.get(f"/containers/{box}/file?path=/../../etc/passwd")) == inside
    for path in ("/tmp/pipe", "/tmp", "/proc/1/environ", "/nowhere", "/tmp/%00", "/tmp/%ff"):
        assert browser.get(f"/containers/{box}/file?path={path}").status in (400, 404, 501), path
    # What is shown as the command does the same.
    page = browser.page(f"{where}?path=/etc")
    assert f"rootless cp {box}:/etc/passwd ." in page
    rootless("cp", f"{box}:/etc/passwd", str(tmp_path / "passwd"))
    assert (tmp_path / "passwd").read_bytes() == inside


def test_files_brought_to_a_container(browser: Browser, box: str, rootless: Rootless) -> None:
    where = f"/containers/{box}/files?path=/tmp"
    large = os.urandom(3 << 20)
    assert json.loads(browser.upload(f"{where}&name=large", large).body)["command"] == f"rootless cp large {box}:/tmp"
    assert taken_away(browser.get(f"/containers/{box}/file?path=/tmp/large")) == large
    assert browser.upload(f"{where}&name=large", b"").status == 200
    assert rootless("exec", box, "stat", "-c", "%s %u %g %a", "/tmp/large").stdout == "0 0 0 644\n"
    for name in ("", "..", ".", "../x", "a/b", "/etc/passwd", "%00", "x" * 256):
        assert browser.upload(f"{where}&name={name}", b"x").status == 400, name
    rootless("exec", box, "mkdir", "/tmp/sub")
    for path, name, status in (("/nowhere", "x", 404), ("/tmp/large", "x", 400), ("/tmp", "sub", 409), ("/proc/1", "x", None)):
        refused = browser.upload(f"/containers/{box}/files?path={path}&name={name}", os.urandom(1 << 20))
        assert refused.status == status or (status is None and refused.status >= 400), (path, refused)
        assert refused.message
    # Another site's form can send no such thing, and no page without the token.
    for changed in ({"X-Rootless-Token": ""}, {"Origin": "http://localhost:9999"}, {"Content-Type": "text/plain"},
                    {"Content-Type": "multipart/form-data; boundary=x"}, {"Cookie": ""}):  # fmt: skip
        assert browser.upload(f"{where}&name=stranger", b"x", **changed).status in (401, 403, 415), changed
    rootless("exec", box, "test", "-e", "/tmp/stranger", status=1)
    too_large = browser.console.connect()
    with too_large:
        head = [f"POST {where}&name=huge HTTP/1.1", "Host: localhost:8080", *(f"{key}: {value}" for key, value in browser.headers.items()),
                "Content-Type: application/octet-stream", f"Content-Length: {1 << 40}", "", ""]  # fmt: skip
        too_large.sendall("\r\n".join(head).encode())
        assert too_large.recv(100).startswith(b"HTTP/1.1 413")


def test_an_upload_that_breaks_off_leaves_nothing(browser: Browser, box: str, rootless: Rootless) -> None:
    with browser.console.connect() as sock:
        head = [f"POST /containers/{box}/files?path=/tmp&name=half HTTP/1.1", "Host: localhost:8080",
                *(f"{key}: {value}" for key, value in browser.headers.items()), "Content-Type: application/octet-stream",
                "Content-Length: 1000000", "", ""]  # fmt: skip
        sock.sendall("\r\n".join(head).encode() + bytes(500_000))
    assert browser.upload(f"/containers/{box}/files?path=/tmp&name=whole", b"x").status == 200
    assert rootless("exec", box, "ls", "/tmp").lines[:1] == ["whole"]


def test_files_of_a_volume(browser: Browser, rootless: Rootless) -> None:
    """Without a container: brought, listed, taken away, by the page and by the command that it shows."""
    rootless("volume", "create", "data")
    assert 'href="/volumes/data/files"' in browser.page("/volumes")
    assert "nothing in this directory" in browser.page("/volumes/data/files")
    assert browser.upload(f"/volumes/data/files?name={quote(HOSTILE)}", PAGE).status == 200
    page = browser.page("/volumes/data/files")
    assert "<img src=x" not in page
    assert not set(page) & set("\x1b\x07\u202e")
    assert taken_away(browser.get(f"/volumes/data/file?path=/{quote(HOSTILE)}")) == PAGE
    with tarfile.open(fileobj=io.BytesIO(taken_away(browser.get("/volumes/data/files.tar")))) as archive:
        assert f"./{HOSTILE}" in archive.getnames()
    assert browser.get("/volumes/data/file?path=/../../../../../etc/passwd").status == 404
    assert browser.get("/volumes/none/files").status == 404
    brought = json.loads(browser.upload("/volumes/data/files?name=plain", b"x").body)["command"]
    assert brought == "tar -c -- plain | rootless volume import data -"
    shown = browser.page("/volumes/data/files")
    assert "rootless volume export data | tar -x -- plain" in shown
    exported = rootless("volume", "export", "data").raw
    listed = subprocess.run(["tar", "-t", "--", "plain"], input=exported, capture_output=True, check=False)
    assert listed.stdout == b"plain\n", listed
    rootless("volume", "rm", "data")


def test_nobody_else_sees_files(console: Console, box: str) -> None:
    for path in (f"/containers/{box}/files", f"/containers/{box}/file?path=/etc/passwd", f"/containers/{box}/files.tar"):
        assert console.ask("GET", path).status == 401
