"""The build's client killed with SIGKILL at each thing that it reports: nothing runs on, and what is left is swept."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.build.conftest import context as context
from tests.build.test_endings import unfinished, wait_for
from tests.harness import processes
from tests.harness.command import Rootless

pytestmark = pytest.mark.own_store

DOCKERFILE = """\
FROM busybox AS a
COPY . /src
WORKDIR /made/by/us
RUN --mount=type=cache,target=/c --mount=type=tmpfs,target=/t echo a >> /c/n; cat /src/a.txt > /kept; sleep 0.2
FROM busybox
RUN --mount=type=bind,from=a,target=/m --mount=type=secret,id=s cat /m/kept > /two; wc -c < /run/secrets/s >> /two; sleep 0.2
ADD archive.tar /unpacked/
COPY --from=a /kept /
"""


def ours() -> list[str]:
    return [one.command for one in processes.descendants().values() if "/sh -c" in one.command]


def test_sockets_of_killed_builds(rootless: Rootless, busybox_image: str) -> None:
    """Killed before it was said whose they are, or while they were removed."""
    rootless("build", "-q", "-", stdin="FROM busybox\nRUN true\n")
    directory = rootless.sockets / "b"
    (directory / ".new-1-a").mkdir()
    (directory / ".new-1-b").mkdir()
    (directory / ".new-1-b/root").symlink_to(rootless.root)
    (directory / ".new-1-b/attach").touch()
    (directory / ".new-1-c").mkdir()
    (directory / ".new-1-c/root").symlink_to("/elsewhere")
    rootless("build", "-q", "-", stdin="FROM busybox\nRUN true\n")
    assert os.listdir(directory) == [".new-1-c"]


def test_killed_at_each_report(rootless: Rootless, busybox_image: str, context: Path, tmp_path: Path) -> None:
    (context / "a.txt").write_text("text\n")
    (context / "Dockerfile").write_text(DOCKERFILE)
    subprocess.run(["tar", "-C", context, "-cf", context / "archive.tar", "a.txt"], check=True)
    words = ("build", "--no-cache", "--jobs=2", "--progress=rawjson", "--secret", "id=s,env=S", "-t", "killed", context)
    environment = {**rootless.environment, "S": "hunter"}
    number, ended = 0, False
    while not ended:
        number += 3  # several lines are of one moment
        process = subprocess.Popen([*rootless.argv, *map(str, words)], env=environment, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
        assert process.stderr is not None
        for _ in range(number):
            if not process.stderr.readline():
                ended = True
                break
        process.kill()
        process.wait(60)
        process.stderr.close()
        wait_for(lambda: not ours(), "a container outlived its build")
    assert number > 20
    rootless("build", "-q", "-t", "whole", *words[3:4], "--secret", "id=s,env=S", context, env={"S": "hunter"})
    assert rootless("run", "--rm", "whole", "cat", "/two", "/unpacked/a.txt", "/kept").stdout == "text\n6\ntext\ntext\n"
    assert unfinished(rootless) == []
    rootless("builder", "prune", "-af")
    assert not os.listdir(rootless.root / "tmp")
    assert not [name for name in os.listdir(rootless.root / "build/mounts") if name.startswith(".")]
    for path in rootless.root.rglob("*"):
        assert not (path.is_file() and b"hunter" in path.read_bytes()[:100]), path
