"""--build-context: a layout as a base, a directory with an ignore file of its own."""

from __future__ import annotations

import gzip
import io
import json
import subprocess
import tarfile
from pathlib import Path

import pytest

from tests.build.conftest import Build
from tests.build.web import Answer, Web
from tests.harness.command import Rootless
from tests.need import need_program
from tests.storage.tars import archive, directory, file, link, symlink


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


@pytest.fixture
def root_files(busybox_archive: Path, rootless: Rootless, busybox_image: str, tmp_path: Path) -> Path:
    """A directory with busybox's files, one more, and one that its ignore file leaves out."""
    path = tmp_path / "root"
    rootless("build", "-q", "-o", path, "-", stdin=f"FROM {busybox_image}\n")
    (path / "kept").write_text("K\n")
    (path / "left").write_text("L\n")
    (path / ".dockerignore").write_text("left\n")
    return path


def test_a_directory_as_a_base(build: Build, rootless: Rootless, root_files: Path) -> None:
    text = 'FROM base AS one\nRUN cat /kept; ls /; ! test -e /left\nFROM one\nCMD ["cat", "/kept"]\n'
    asked = ("--build-context", f"base={root_files}")
    built = build(text, *asked, "-t", "from-a-directory")
    assert "[context base] load .dockerignore" in built.stderr
    assert "[context base] load from client\n" in built.stderr
    assert "[one 2/2] RUN" in built.stderr
    assert rootless("run", "--rm", "from-a-directory").stdout == "K\n"
    assert rootless("run", "--rm", "from-a-directory", "stat", "-c", "%u:%g", "/kept").stdout == "0:0\n"
    shown = json.loads(rootless("image", "inspect", "from-a-directory").stdout)[0]
    assert (shown["Config"]["Cmd"], len(shown["RootFS"]["Layers"])) == (["cat", "/kept"], 1)
    # By its content: times do not count, what is left out does not, what is there does.
    (root_files / "left").write_text("other\n")
    (root_files / "kept").touch()
    assert build(text, *asked).stderr.count("CACHED") == 2
    (root_files / "kept").write_text("again\n")
    assert "again" in build(text, *asked).stderr
    rootless("rmi", "-f", "from-a-directory")


def test_a_directory_in_the_place_of_a_stage_and_of_an_image(build: Build, root_files: Path) -> None:
    text = "FROM nowhere AS made\nRUN false\nFROM busybox:9\nCOPY --from=made /kept /copied\nRUN cat /copied && ! test -e /left\n"
    asked = ("--build-context", f"made={root_files}", "--build-context", f"busybox:9={root_files}")
    assert " K\n" in build(text, *asked).stderr


def test_an_archive_as_a_base_keeps_owners(build: Build) -> None:
    busybox = Path("/bin/busybox").read_bytes()
    files = archive(file("bin/sh", busybox, mode=0o755), file("bin/stat", busybox, mode=0o755), file("f", b"F", uid=7, gid=8))
    with Web() as web:
        web.answers["/root.tgz"] = Answer(body=gzip.compress(files))
        asked = ("--build-context", f"base={web.url('/root.tgz')}")
        text = build("FROM base\nRUN stat -c %u:%g /f\nFROM base\nCOPY --from=base /f /g\nRUN stat -c %u-%g /g\n", *asked).stderr
        assert " 7-8\n" in text
        web.answers["/words.txt"] = Answer(body=b"words\n")
        only = build("FROM busybox\nCOPY --from=words / /w/\nRUN cat /w/words.txt\n",
                     "--build-context", f"words={web.url('/words.txt')}").stderr  # fmt: skip
        assert " words\n" in only


def test_owners_of_an_archive_that_have_no_id_here(build: Build, rootless: Rootless) -> None:
    """As on a host where the user has a single id: they are root's while it runs, and whose they are in what leaves."""
    files = archive(
        directory("d", mode=0o750, uid=300_000, gid=8), file("d/f", b"F", uid=300_000, gid=400_000),
        symlink("d/l", "f", uid=300_001), link("d/h", "d/f", uid=300_000, gid=400_000), file("g", b"G", uid=7),
    )  # fmt: skip
    with Web() as web:
        web.answers["/root.tar"] = Answer(body=files)
        asked = ("--build-context", f"base={web.url('/root.tar')}")
        text = "FROM base\nCOPY --from=base /d/f /top\nCOPY --from=base --chown=5:6 /d/f /chowned\n"
        build(text, *asked, "-t", "owned")
    found = {}
    with tarfile.open(fileobj=io.BytesIO(rootless("save", "owned").raw)) as saved:
        for blob in saved.getmembers():
            data = saved.extractfile(blob).read() if blob.isreg() else b""  # type: ignore[union-attr]
            if data[257:262] == b"ustar":
                with tarfile.open(fileobj=io.BytesIO(data)) as layer:
                    found.update({member.name.strip("/"): (member.uid, member.gid) for member in layer})
    assert (found["d"], found["d/f"], found["d/l"], found["g"]) == ((300_000, 8), (300_000, 400_000), (300_001, 0), (7, 0))
    assert (found["top"], found["chowned"]) == ((300_000, 400_000), (5, 6))
    rootless("rmi", "owned")


def test_a_base_that_is_no_directory(build: Build, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    assert "Not a directory" in build("FROM x\n", "--build-context", f"x={tmp_path}/file", status=1).stderr
    assert "No such file" in build("FROM x\n", "--build-context", f"x={tmp_path}/none", status=1).stderr
