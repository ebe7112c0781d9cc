"""--build-context: a layout as a base, a directory with an ignore file of its own."""

from __future__ import annotations

import gzip
import json
import subprocess
from pathlib import Path

import pytest

from tests.build.conftest import Build
from tests.build.web import Answer, Web
from tests.harness.command import Rootless
from tests.need import need_program
from tests.storage.tars import archive, file


@pytest.fixture
def layout(rootless: Rootless, busybox_image: str, tmp_path: Path) -> str:
    """An OCI layout with busybox as tag `one`."""
    saved = tmp_path / "saved.tar"
    rootless("save", "-o", saved, busybox_image)
    path = tmp_path / "layout"
    words = [need_program("skopeo"), "--insecure-policy", "copy", "-q", f"docker-archive:{saved}", f"oci:{path}:one"]
    subprocess.run(words, check=True, timeout=120)
    return str(path)


@pytest.mark.parametrize("word", ["{layout}:one", "{layout}", "{layout}@{digest}"])
def test_a_layout_as_a_base(build: Build, layout: str, word: str) -> None:
    listed = json.loads(Path(layout, "index.json").read_text())
    named = word.format(layout=layout, digest=listed["manifests"][0]["digest"])
    text = build(
        "FROM nowhere\nRUN echo found > /f && cat /f\nCOPY --from=nowhere /bin/busybox /again\n",
        "--build-context", f"nowhere=oci-layout://{named}",
    ).stderr  # fmt: skip
    assert "found" in text


@pytest.mark.parametrize(
    ("word", "error"),
    [(":two", "has no tag two"), ("@sha256:" + "0" * 64, "has no sha256:000"), ("/nothing", "cannot open the OCI layout")],
)
def test_a_layout_without_it(build: Build, layout: str, word: str, error: str) -> None:
    done = build("FROM x\n", "--build-context", f"x=oci-layout://{layout}{word}", status=1)
    assert error in done.stderr


def test_a_directory_with_an_ignore_file(build: Build, context: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "kept").write_text("K")
    (other / "left").write_text("L")
    (other / ".dockerignore").write_text("left\n")
    text = build(
        "FROM busybox\nCOPY --from=lib . /lib2/\nRUN ls /lib2\n", "--build-context", f"lib={other}"
    ).stderr  # fmt: skip
    assert "kept" in text
    assert "left" not in text.replace("left:", "")

def test_an_archive_at_a_url(build: Build) -> None:
    with Web() as web:
        web.answers["/c.tgz"] = Answer(body=gzip.compress(archive(file("from-afar", b"A"))))
        text = build(
            "FROM busybox\nCOPY --from=afar from-afar /f\nRUN cat /f && echo B\n", "--build-context", f"afar={web.url('/c.tgz')}"
        ).stderr  # fmt: skip
    assert "AB" in text
