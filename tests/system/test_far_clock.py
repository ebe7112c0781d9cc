"""A clock that is wrong by centuries, and images and archives that say such times: no internal error.

The clock is set for the command alone, by a library that answers clock_gettime(2) in the kernel's place.
"""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import tarfile
import time
from pathlib import Path

import pytest

from tests.harness.command import Rootless
from tests.harness.images import add, busybox_layer, docker_archive, static_busybox
from tests.need import need_program

CLOCK = """
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
int clock_gettime(clockid_t id, struct timespec *ts) {
  int result = syscall(SYS_clock_gettime, id, ts);
  if (!result && id == CLOCK_REALTIME) ts->tv_sec += atol(getenv("TEST_CLOCK_SHIFT_S"));
  return result;
}
"""
# 2262-04-11 is the last day of 64 bits of nanoseconds; the year 5138; beyond all dates; before the first.
TIMES = [9_223_372_037, 100_000_000_000, 1_000_000_000_000_000, -100_000_000_000]


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("clock")
    directory.chmod(0o755)
    (directory / "clock.c").write_text(CLOCK)
    made = directory / "clock.so"
    subprocess.run(
        [need_program("cc"), "-shared", "-fPIC", "-o", made, directory / "clock.c"], check=True, timeout=60
    )
    return made


@pytest.mark.parametrize("seconds", TIMES)
def test_every_kind_of_command(rootless: Rootless, busybox_archive: Path, library: Path, seconds: int) -> None:
    env = {"LD_PRELOAD": str(library), "TEST_CLOCK_SHIFT_S": str(seconds - int(time.time()))}

    def run(*words: str, status: int | None = 0) -> str:
        return rootless(*words, status=status, env=env, warns=True).stdout

    assert int(run("version", "--format", "{{.Client.Version}}").split(".")[0]) >= 0
    rootless("load", "-i", busybox_archive, env=env)
    run("run", "--name", "web", "-d", "busybox", "sleep", "600")
    assert run("exec", "web", "echo", "inside") == "inside\n"
    assert "web" in run("ps")
    assert "web" in run("ps", "--format", "json")
    for words in (
        ["ps", "-a", "--filter", "since=web"], ["inspect", "web"], ["images"], ["history", "busybox"], ["info"],
        ["stats", "--no-stream"], ["top", "web"], ["logs", "-t", "--since", "10m", "web"],
        ["events", "--since", "10m", "--until", "0s"], ["commit", "web", "made"], ["volume", "create", "data"],
        ["volume", "inspect", "data"], ["system", "df", "-v"], ["cp", "web:/bin/busybox", "-"],
        ["tag", "busybox", "other"], ["stop", "-t", "0", "web"], ["start", "web"], ["restart", "-t", "0", "web"],
        ["rm", "-f", "web"], ["image", "prune", "-f", "--filter", "until=1h"], ["container", "prune", "-f"],
        ["system", "prune", "-f"],
    ):  # fmt: skip
        run(*words)
    assert "Doctor" not in run("doctor", status=None)
    # What such a clock has written is read by a right one.
    for words in (["ps", "-a"], ["images"], ["volume", "inspect", "data"], ["events", "--since", "1", "--until", "0s"]):
        rootless(*words)


@pytest.mark.parametrize(
    "created", ["9999-12-31T23:59:59Z", "99999-01-01T00:00:00Z", "9" * 30 + "-01-01T00:00:00Z", "0001-01-01T00:00:00Z"]
)
def test_an_image_of_such_a_time(rootless: Rootless, tmp_path: Path, created: str) -> None:
    data = docker_archive("far:latest", [busybox_layer(static_busybox())], {"Cmd": ["sh"]})
    with tarfile.open(fileobj=io.BytesIO(data)) as source:
        members = {member.name: source.extractfile(member).read() for member in source}  # type: ignore[union-attr]
    manifest = json.loads(members["manifest.json"])
    document = json.loads(members.pop(manifest[0]["Config"]))
    document |= {"created": created, "history": [{"created": created, "created_by": "far away"}]}
    encoded = json.dumps(document).encode()
    manifest[0]["Config"] = f"{hashlib.sha256(encoded).hexdigest()}.json"
    members |= {manifest[0]["Config"]: encoded, "manifest.json": json.dumps(manifest).encode()}
    with tarfile.open(tmp_path / "far.tar", "w") as target:
        for name, body in members.items():
            add(target, name, body)
    rootless("load", "-i", tmp_path / "far.tar")
    for words in (["images"], ["images", "--format", "json"], ["history", "far"], ["inspect", "far"], ["system", "df", "-v"]):
        rootless(*words)
    rootless("image", "prune", "-a", "-f", "--filter", "until=1h")


@pytest.mark.parametrize("mtime", [2**33, 2**34, 10**11, 10**15, -(10**11)])
def test_files_of_such_a_time(rootless: Rootless, busybox_image: str, tmp_path: Path, mtime: int) -> None:
    member = tarfile.TarInfo("far")
    member.mtime = mtime
    with tarfile.open(tmp_path / "in.tar", "w", format=tarfile.PAX_FORMAT) as archive:
        archive.addfile(member)
    rootless("create", "--name", "box", busybox_image)
    rootless("cp", "-", "box:/", stdin=(tmp_path / "in.tar").read_bytes())
    assert rootless("cp", "box:/far", "-").raw
    assert "A /far" in rootless("diff", "box").stdout
    assert rootless("export", "box").raw
    rootless("commit", "box", "made")
    assert rootless("run", "--rm", "made", "cat", "/far").stdout == ""
    rootless("import", tmp_path / "in.tar", "imported")
    rootless("rm", "box")
    rootless("rmi", "made", "imported")


@pytest.mark.parametrize("age", ["99999999999h", "9999999999999999s"])
def test_ages_before_all_dates(rootless: Rootless, busybox_image: str, age: str) -> None:
    rootless("run", "--name", "box", busybox_image, "echo", "said")
    assert rootless("logs", "--since", age, "box", status=None).stdout in ("said\n", "")
    rootless("events", "--since", age, "--until", "0s", status=None)
    rootless("image", "prune", "-a", "-f", "--filter", f"until={age}", status=None)
    rootless("rm", "box")
