"""SOURCE_DATE_EPOCH by the name of what has a time: a commit, a file of a web server, an archive. And what of such a
context its ignore file leaves out, which is nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.build.conftest import Build
from tests.build.context.git_daemon import Repository
from tests.build.context.git_daemon import base as base
from tests.build.context.git_daemon import repository as repository
from tests.build.web import Answer, Web
from tests.harness.command import Rootless
from tests.storage.tars import archive, directory, file

DOCKERFILE = "FROM busybox\nARG SOURCE_DATE_EPOCH\nRUN echo it is ${SOURCE_DATE_EPOCH-unset}\nCOPY . /all/\nRUN echo has $(ls -A /all)\n"
MODIFIED = {"Last-Modified": "Fri, 02 Jan 1970 00:00:00 GMT"}
DAY = 86_400


def tree(dockerfile: str = DOCKERFILE) -> bytes:
    return archive(
        directory("d/", mtime=9_000_000), file("Dockerfile", dockerfile.encode(), mtime=5000), file("d/f", b"F", mtime=7000),
        file(".dockerignore", b"d\n", mtime=6000),
    )  # fmt: skip


@pytest.fixture
def web() -> Iterator[Web]:
    with Web() as server:
        yield server


def built(rootless: Rootless, *words: str, stdin: bytes | None = None) -> str:
    return rootless("build", "--progress=plain", *words, stdin=stdin).stderr


def created(rootless: Rootless, name: str) -> str:
    return rootless("inspect", "-f", "{{.Created}}", name).stdout.strip()


CONTEXT = ("--no-cache", "-t", "dated", "--build-arg", "SOURCE_DATE_EPOCH=context")


def test_an_archive_on_stdin(rootless: Rootless, busybox_image: str) -> None:
    """The newest file of it."""
    said = built(rootless, *CONTEXT, "-", stdin=tree())
    assert "it is 7000" in said
    assert "has .dockerignore Dockerfile d" in said
    assert created(rootless, "dated") == "1970-01-01T01:56:40.000000000Z"


def test_a_file_of_a_web_server(rootless: Rootless, busybox_image: str, web: Web) -> None:
    web.answers["/dated.tar"] = Answer(headers=MODIFIED, body=tree())
    web.answers["/plain.tar"] = Answer(body=tree())
    web.answers["/Dockerfile"] = Answer(headers=MODIFIED, body=b"FROM busybox\nARG SOURCE_DATE_EPOCH\nRUN echo it is $SOURCE_DATE_EPOCH\n")
    said = built(rootless, *CONTEXT, web.url("/dated.tar"))
    assert f"it is {DAY}" in said
    assert "has .dockerignore Dockerfile d" in said
    assert "it is 7000" in built(rootless, *CONTEXT, web.url("/plain.tar"))
    assert f"it is {DAY}" in built(rootless, *CONTEXT, web.url("/Dockerfile"))


def test_a_commit(rootless: Rootless, busybox_image: str, repository: Repository) -> None:
    (repository.path / ".dockerignore").write_text("a\n")
    repository.commit(Dockerfile=DOCKERFILE)
    said = built(rootless, *CONTEXT, repository.url)
    assert "it is 1000" in said
    assert "has .dockerignore Dockerfile a sub" in said
    assert created(rootless, "dated") == "1970-01-01T00:16:40.000000000Z"


def test_a_directory_has_no_time(build: Build) -> None:
    assert "it is unset" in build(DOCKERFILE, *CONTEXT).stderr


def test_sources_of_other_names(build: Build, web: Web, repository: Repository, tmp_path: Path) -> None:
    web.answers["/x.tar"] = Answer(body=tree())
    web.answers["/x"] = Answer(headers=MODIFIED, body=b"x")
    text = f"FROM scratch AS one\nADD {web.url('/x.tar')} /\nFROM scratch AS two\nADD {web.url('/x')} /\n"
    text += f"FROM scratch AS three\nADD {repository.url} /\n" + DOCKERFILE
    named = ("--build-context", f"tar={web.url('/x.tar')}", "--build-context", f"dir={tmp_path}", "--build-context",
             "image=docker-image://busybox")  # fmt: skip
    times = {"one": "7000", "two": str(DAY), "three": "1000", "tar": "7000", "dir": "unset", "image": "unset"}
    for name, time in times.items():
        assert f"it is {time}\n" in build(text, *named, "--no-cache", "--build-arg", f"SOURCE_DATE_EPOCH={name}").stderr, name
