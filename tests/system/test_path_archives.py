"""A container's path as a tar stream, in and out, running or not: what the API's archive endpoints need."""

from __future__ import annotations

import base64
import bz2
import gzip
import io
import json
import lzma
import os
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from rootless.engine.files.archive import go_mode
from rootless.storage.containers import containers
from rootless.storage.store import Store
from tests.harness.command import Rootless

# The session is joined for good, by a process with one thread: each call has one of its own.
CALL = """
import base64, io, json, sys
from rootless.engine.files import archive
from rootless.errors import RootlessError
from rootless.storage.store import Store
name, root, runtime, words, data = json.loads(sys.stdin.read())
store = Store(root, runtime)
try:
    if name == "get":
        with archive.reading(store, *words["args"]) as found:
            out = io.BytesIO()
            notes = found.write(out)
            answer = [found.stat, notes, base64.b64encode(out.getvalue()).decode()]
    elif name == "put":
        answer = archive.put(store, *words.pop("args"), io.BytesIO(base64.b64decode(data)), **words)
    else:
        answer = archive.stat(store, *words["args"])
except RootlessError as error:
    answer = {"error": type(error).__name__, "message": error.message}
print(json.dumps(answer))
"""
Call = Callable[..., Any]


@pytest.fixture
def call(rootless: Rootless) -> Call:
    def make(name: str, *args: str, data: bytes = b"", **words: bool) -> Any:
        given = [name, str(rootless.root), str(rootless.sockets), {**words, "args": args}, base64.b64encode(data).decode()]
        done = subprocess.run(
            [sys.executable, "-c", CALL], input=json.dumps(given), capture_output=True, text=True, timeout=60, env=rootless.environment,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return make


@pytest.fixture(params=["created", "running", "exited"])
def box(request: pytest.FixtureRequest, rootless: Rootless, busybox_image: str) -> Iterator[str]:
    script = "mkdir -p /d/sub; echo text > /d/f; chmod 4751 /d/f; ln -s f /d/l; ln -s /etc /d/e; mkfifo /d/p"
    store = Store(str(rootless.root), str(rootless.sockets))
    rootless("run", "--name", "made", "--network", "none", busybox_image, "sh", "-c", script)
    rootless("commit", "made", "with-d")
    rootless("rm", "made")
    rootless("create", "--name", "box", "--network", "none", "-u", "7:8", "with-d", "sleep", "1000")
    if request.param != "created":
        rootless("start", "box")
    if request.param == "exited":
        rootless("kill", "box")
    yield containers.find(store, "box")
    rootless("rm", "-f", "box")
    rootless("rmi", "with-d")


def tar(*members: tuple[str, bytes, bytes], uid: int = 5, gid: int = 6) -> bytes:
    """Members as (name, type, contents or link)."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, kind, contents in members:
            info = tarfile.TarInfo(name)
            info.type, info.uid, info.gid, info.mode = kind, uid, gid, 0o755 if kind == tarfile.DIRTYPE else 0o644
            if kind == tarfile.SYMTYPE:
                info.linkname = contents.decode()
            info.size = len(contents) if kind == tarfile.REGTYPE else 0
            archive.addfile(info, io.BytesIO(contents))
    return out.getvalue()


def names(answer: Any) -> list[str]:
    _, _, data = answer
    with tarfile.open(fileobj=io.BytesIO(base64.b64decode(data))) as archive:
        return sorted(archive.getnames())


def test_stat(box: str, call: Call) -> None:
    """Mode in Go's bits: setuid is 1<<23, a directory 1<<31, a link 1<<27, a FIFO 1<<25."""
    found = call("stat", box, "/d/f")
    assert (found["name"], found["size"], found["mode"], found["linkTarget"]) == ("f", 5, 0o751 | 1 << 23, "")
    assert found["mtime"].startswith("20")
    assert call("stat", box, "d")["mode"] == 0o755 | 1 << 31
    link = call("stat", box, "/d/l")
    assert (link["name"], link["mode"], link["linkTarget"]) == ("l", 0o777 | 1 << 27, "/d/f")
    assert call("stat", box, "/d/e")["linkTarget"] == "/etc"
    assert call("stat", box, "/d/e/")["mode"] & 1 << 31
    assert call("stat", box, "/d/p")["mode"] & 1 << 25
    assert call("stat", box, "/")["name"] == "/"
    for missing in ("/nothing", "/d/f/", "/d/f/x", "/../../nothing"):
        assert call("stat", box, missing) == {
            "error": "NotFound", "message": f"Could not find the file {missing} in container {box}",
        }  # fmt: skip
    assert call("stat", box, "")["error"] == call("stat", box, "/a\0b")["error"] == "InvalidInput"


def test_get(rootless: Rootless, box: str, call: Call) -> None:
    answer = call("get", box, "/d/f")
    assert names(answer) == ["f"]
    assert answer[0]["size"] == 5
    assert names(call("get", box, "/d/")) == ["d", "d/e", "d/f", "d/l", "d/p", "d/sub"]
    assert names(call("get", box, "/d/.")) == [".", "./e", "./f", "./l", "./p", "./sub"]
    whole = names(call("get", box, "/"))
    assert "/d/f" in whole
    assert whole[0] == ""  # tarfile's for "/"
    assert all(name.startswith("/") for name in whole[1:])
    assert call("get", box, "/no")["error"] == "NotFound"
    lines = rootless("events", "--since", "1h", "--until", "0s", "--filter", f"container={box}", "--filter", "event=archive-path").lines
    assert len(lines) == 4


@pytest.mark.parametrize("compress", [bytes, gzip.compress, bz2.compress, lzma.compress])
def test_put(rootless: Rootless, box: str, call: Call, compress: Callable[[bytes], bytes]) -> None:
    data = compress(tar(("new", tarfile.DIRTYPE, b""), ("new/file", tarfile.REGTYPE, b"there")))
    assert call("put", box, "/d/sub", data=data) == []
    with tarfile.open(fileobj=io.BytesIO(base64.b64decode(call("get", box, "/d/sub/new")[2]))) as archive:
        member = archive.getmember("new/file")
        assert (member.uid, member.gid, member.mode) == (5, 6, 0o644)
        file = archive.extractfile(member)
        assert file is not None
        assert file.read() == b"there"
    assert call("put", box, "/d/sub", data=data, copy_uid_gid=True) == []
    with tarfile.open(fileobj=io.BytesIO(base64.b64decode(call("get", box, "/d/sub/new/file")[2]))) as archive:
        assert (archive.getmember("file").uid, archive.getmember("file").gid) == (7, 8)


def test_what_replaces_what(box: str, call: Call) -> None:
    call("put", box, "/d", data=tar(("x", tarfile.DIRTYPE, b""), ("x/y", tarfile.REGTYPE, b"y"), ("z", tarfile.REGTYPE, b"z")))
    over = tar(("x", tarfile.REGTYPE, b"now a file"), ("z", tarfile.DIRTYPE, b""))
    refused = call("put", box, "/d", data=over, no_overwrite_dir_non_dir=True)
    assert refused["error"] == "Conflict"
    assert "cannot overwrite" in refused["message"]
    assert call("put", box, "/d", data=over) == []
    assert call("stat", box, "/d/x")["size"] == len("now a file")
    assert call("stat", box, "/d/z")["mode"] & 1 << 31


def test_what_is_refused(box: str, call: Call) -> None:
    fine = tar(("a", tarfile.REGTYPE, b"a"))
    assert call("put", box, "/d/f", data=fine) == {"error": "InvalidInput", "message": "extraction point is not a directory"}
    assert call("put", box, "/none", data=fine)["error"] == "NotFound"
    assert call("put", box, "/d", data=b"no archive at all" * 100)["error"] == "Corrupt"
    assert call("put", box, "/d", data=fine[:700])["error"] in ("Corrupt", "RootlessError")
    assert call("stat", box, "/d/a")["error"] == "NotFound"


def test_nothing_leads_out(rootless: Rootless, box: str, call: Call) -> None:
    """Links of the archive and of the container end in the container."""
    victim = rootless.runtime / "victim"
    victim.mkdir()
    call("put", box, "/d", data=tar(("out", tarfile.SYMTYPE, str(victim).encode()), ("../../up", tarfile.REGTYPE, b"")))
    call("put", box, "/d", data=tar(("out/file", tarfile.REGTYPE, b"x")))
    call("put", box, "/d/out", data=tar(("file", tarfile.REGTYPE, b"x")))
    assert os.listdir(victim) == []
    assert call("stat", box, str(victim))["error"] == "NotFound"


@pytest.mark.parametrize(("mode", "go"), [(0o100644, 0o644), (0o041777, 1 << 31 | 1 << 20 | 0o777), (0o020620, 1 << 26 | 1 << 21 | 0o620),
                         (0o060660, 1 << 26 | 0o660), (0o140755, 1 << 24 | 0o755), (0o102755, 1 << 22 | 0o755)])  # fmt: skip
def test_go_modes(mode: int, go: int) -> None:
    assert go_mode(mode) == go
