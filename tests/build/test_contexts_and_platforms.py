"""Contexts by name and by git, ignore files and several platforms, together."""

from __future__ import annotations

import json
import os
import re
import socket
import tarfile
from pathlib import Path

import pytest

from tests.build.conftest import Build
from tests.build.context.git_daemon import Repository
from tests.build.context.git_daemon import base as base
from tests.build.context.git_daemon import repository as repository
from tests.build.test_build import steps
from tests.harness.command import Rootless

pytestmark = pytest.mark.own_store

BOTH = "linux/amd64,linux/arm64"


def files(rootless: Rootless, output: Path) -> dict[str, str]:
    return {str(path.relative_to(output)): path.read_text() for path in sorted(output.rglob("*")) if path.is_file()}


def vertices(stderr: str, pattern: str) -> set[str]:
    return {name for _, name in re.findall(r"^#(\d+) (\[.*)$", stderr, re.MULTILINE) if re.search(pattern, name)}


def test_a_directory_of_a_repository_for_several_platforms(
    rootless: Rootless, busybox_image: str, repository: Repository, tmp_path: Path
) -> None:
    dockerfile = (
        "FROM --platform=$BUILDPLATFORM busybox AS made\nCOPY . /c\nRUN ls -A /c > /listed\nARG TARGETARCH\n"
        "RUN echo $TARGETARCH >> /listed\nFROM scratch\nCOPY --from=made /listed /\nCOPY b /\n"
    )
    repository.commit(sub__Dockerfile=dockerfile, sub__left="L")
    (repository.path / "sub/.dockerignore").write_text("left\n")
    repository.commit(above="not to be seen")
    built = rootless("build", "--progress=plain", "--platform", BOTH, "-o", tmp_path / "out", f"{repository.url}#main:sub")
    # As in docker: no ignore file counts in what was fetched.
    listed = ".dockerignore\nDockerfile\nb\nleft\n"
    assert files(rootless, tmp_path / "out") == {
        f"linux_{one}/{name}": text for one in ("amd64", "arm64") for name, text in (("b", "B"), ("listed", f"{listed}{one}\n"))
    }
    assert len(vertices(built.stderr, r"made 3/4\] RUN ls")) == 1
    assert len(vertices(built.stderr, r"load remote build context")) <= 1


def test_a_repository_as_a_base_for_several_platforms(build: Build, rootless: Rootless, repository: Repository) -> None:
    (repository.path / "sub/etc").mkdir(parents=True)
    repository.commit(sub__etc__hostname="x")
    built = build("FROM base\nARG TARGETARCH\nLABEL arch=$TARGETARCH\n", "--platform", BOTH, "-t", "app",
                  "--build-context", f"base={repository.url}#main:sub")  # fmt: skip
    assert len(vertices(built.stderr, r"^\[context base\] load from client")) == 1
    shown = [
        json.loads(rootless("image", "inspect", "--platform", f"linux/{one}", "app").stdout)[0] for one in ("amd64", "arm64")
    ]
    assert shown[0]["RootFS"] == shown[1]["RootFS"]
    assert [one["Config"]["Labels"]["arch"] for one in shown] == ["amd64", "arm64"]
    rootless("rmi", "app")


def test_a_context_for_one_platform_alone(build: Build, rootless: Rootless, tmp_path: Path) -> None:
    for name in ("any", "arm"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "which").write_text(name)
        (tmp_path / name / "left").write_text("L")
    (tmp_path / "arm/.dockerignore").write_text("*\n!which\n")
    build("FROM base\n", "--platform", BOTH, "-o", tmp_path / "out", "--build-context", f"base={tmp_path}/any",
          "--build-context", f"base::linux/arm64={tmp_path}/arm")  # fmt: skip
    assert files(rootless, tmp_path / "out") == {
        "linux_amd64/which": "any", "linux_amd64/left": "L", "linux_arm64/which": "arm",
    }  # fmt: skip


def test_the_ignore_files_of_several_contexts(build: Build, rootless: Rootless, context: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    for directory in (context, other):
        (directory / "d").mkdir(parents=True)
        for name in ("a", "d/b", "d/c"):
            (directory / name).write_text("x")
    (context / ".dockerignore").write_text("a\nDockerfile\n.dockerignore\n")
    (other / ".dockerignore").write_text("d/*\n!d/c\n.dockerignore\n")
    text = (
        "FROM busybox AS looked\nRUN --mount=type=bind,from=other,target=/m ls -A /m /m/d > /mounted\n"
        "FROM other\nCOPY . /context/\nCOPY --from=other . /other/\nCOPY --from=looked /mounted /\n"
    )
    asked = ("--build-context", f"other={other}", "-o", tmp_path / "out")
    build(text, *asked)
    assert set(files(rootless, tmp_path / "out")) == {
        "a", "d/c", "context/d/b", "context/d/c", "other/a", "other/d/c", "mounted",
    }  # fmt: skip
    assert (tmp_path / "out/mounted").read_text() == "/m:\na\nd\n\n/m/d:\nc\n"
    (other / "d/b").write_text("changed, and not seen")
    assert set(steps(build(text, *asked).stderr).values()) == {"CACHED"}


def test_an_empty_directory_and_odd_files_as_a_base(build: Build, rootless: Rootless, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    build("FROM nothing\nCOPY Dockerfile /\n", "--build-context", f"nothing={tmp_path}/empty", "-o", tmp_path / "out")
    assert os.listdir(tmp_path / "out") == ["Dockerfile"]
    odd = tmp_path / "odd"
    odd.mkdir()
    (odd / ".wh.f").write_text("deletes nothing")
    (odd / "f").write_text("F")
    (odd / "out").symlink_to("/etc/passwd")
    (odd / "setuid").write_text("s")
    (odd / "setuid").chmod(0o4755)
    os.mkfifo(odd / "pipe")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(odd / "socket"))
        told = build("FROM odd\n", "--build-context", f"odd={odd}", "-o", f"type=tar,dest={tmp_path}/out.tar", "-t", "odd").stderr
    assert ".wh.f" in told
    with tarfile.open(tmp_path / "out.tar") as tar:
        found = {info.name.removeprefix("./").rstrip("/"): info for info in tar}
    assert {name for name in found if name not in ("", ".")} <= {"f", "out", "setuid", "pipe"}
    assert found["out"].linkname == "/etc/passwd"
    assert (found["f"].uid, found["f"].gid) == (0, 0)
