"""ADD: archives, URLs, repositories."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
from typing import Any

import pytest

from rootless.build.plan.steps import HttpSource
from rootless.errors import Conflict, Corrupt, RootlessError
from tests.build.copy.copying import Trees
from tests.build.web import Answer, Web
from tests.storage.tars import archive, directory, file, link, symlink

TREE = archive(
    directory("./", mode=0o700), directory("d", mode=0o750), file("d/f", b"F", mode=0o640, uid=3, gid=4), symlink("l", "d/f"),
    link("h", "d/f"), file("d/.wh.f", b""),
)  # fmt: skip
NAMES = {"x/", "x/d/", "x/d/f", "x/l", "x/h"}


def owner(trees: Trees, path: str) -> tuple[int, int]:
    def ask() -> tuple[int, int]:
        status = (trees.root / path).lstat()
        return status.st_uid, status.st_gid

    return trees._joined(ask)


@pytest.mark.parametrize("destination", ["/x", "/x/"])
@pytest.mark.parametrize("name", ["a.tar", "a.jpg"])
def test_an_archive_is_told_by_its_content(trees: Trees, destination: str, name: str) -> None:
    (trees.context / name).write_bytes(gzip.compress(TREE))
    done = trees.copy(name, destination, add=True)
    assert set(done.files) == NAMES
    assert done.files["x/"] == "755 0:0"
    assert done.files["x/d/"] == "750 0:0"
    assert owner(trees, "x/d/f") == (3, 4)
    assert (trees.root / "x/h").stat().st_nlink == 2
    assert any(".wh." in line for line in done.written.notes)
    assert done.key == done.written.digest


def test_an_archive_for_somebody_else(trees: Trees) -> None:
    (trees.context / "a").write_bytes(TREE)
    trees.copy("a", "/x", add=True, chown="7:8")
    assert [owner(trees, path) for path in ("x", "x/d", "x/d/f", "x/l")] == [(7, 8)] * 4


def test_over_what_is_there(trees: Trees) -> None:
    (trees.context / "a").write_bytes(TREE)
    (trees.root / "d").mkdir()
    (trees.root / "d/old").write_text("old")
    (trees.root / "d/f").mkdir()
    (trees.root / "l").write_text("old")
    trees.root.chmod(0o711)
    done = trees.copy("a", "/", add=True)
    assert set(done.files) == {"d/", "d/f", "d/old", "l", "h"}
    assert trees.root.stat().st_mode & 0o777 == 0o711


def test_owners_that_have_no_id_here(trees: Trees) -> None:
    (trees.context / "a").write_bytes(archive(file("f", b"", uid=99_999_999, gid=1)))
    assert trees.copy("a", "/x", add=True).written.owners == {"x/f": (99_999_999, 1)}


@pytest.mark.parametrize("flags", [{"add": False}, {"add": True, "unpack": False}])
def test_what_is_not_unpacked(trees: Trees, flags: dict[str, Any]) -> None:
    (trees.context / "a").write_bytes(TREE)
    trees.copy("a", "/x", **flags)
    assert (trees.root / "x").read_bytes() == TREE


@pytest.mark.parametrize("data", [b"", b"text", gzip.compress(b"text"), bytes(2048), TREE[:500], b"\x1f\x8b" + b"x" * 600])
def test_what_is_no_archive_is_copied(trees: Trees, data: bytes) -> None:
    (trees.context / "a").write_bytes(data)
    trees.copy("a", "/x", add=True)
    assert (trees.root / "x").read_bytes() == data


def test_directories_are_not_unpacked(trees: Trees) -> None:
    (trees.context / "d").mkdir()
    (trees.context / "d/a").write_bytes(TREE)
    assert set(trees.copy("d", "/x", add=True).files) == {"x/", "x/a"}


def test_an_archive_that_breaks_off(trees: Trees) -> None:
    (trees.context / "a").write_bytes(TREE[:2000])
    with pytest.raises(Corrupt, match="cannot unpack 'a': the archive ends in the middle"):
        trees.copy("a", "/x", add=True)


def test_onto_a_file(trees: Trees) -> None:
    (trees.context / "a").write_bytes(TREE)
    (trees.root / "x").write_text("")
    with pytest.raises(Conflict):
        trees.copy("a", "/x", add=True)


def test_an_archives_own_mode_leaves_no_trace_in_the_key(trees: Trees) -> None:
    (trees.context / "a").write_bytes(TREE)
    first = trees.copy("a", "/x", add=True).key
    (trees.context / "a").chmod(0o777)
    (trees.context / "a").rename(trees.context / "b")
    assert trees.copy("b", "/x", add=True).key == first
    assert trees.copy("b", "/x", add=True, chown="1").key != first


def test_a_url(trees: Trees) -> None:
    with Web() as web:
        web.answers["/f"] = Answer(headers={"Last-Modified": "Thu, 01 Jan 1970 00:16:40 GMT"}, body=TREE)
        source = HttpSource(web.url("/f"), "na[me")
        done = trees.copy([source], "/x/", add=True)
        assert set(done.files) == {"x/", "x/na[me"}
        assert done.files["x/na[me"].startswith("600 0:0")
        assert (trees.root / "x/na[me").stat().st_mtime == 1000
        assert done.key == done.written.digest
        assert trees.copy([source], "/y", add=True, chmod="644").files["y"].startswith("644 0:0")
        assert "z/d/f" in trees.copy([source], "/z", add=True, unpack=True).files


def test_a_url_with_a_checksum(trees: Trees) -> None:
    with Web() as web:
        web.answers["/f"] = Answer(body=b"evil")
        with pytest.raises(Corrupt, match="digest mismatch"):
            trees.copy([HttpSource(web.url("/f"), "f", "sha256:" + hashlib.sha256(b"good").hexdigest())], "/x", add=True)
    assert not list(trees.root.iterdir())


@pytest.mark.parametrize("filename", ["", "..", "a/..", "x" * 300])
def test_a_url_that_names_no_file(trees: Trees, filename: str) -> None:
    with Web() as web, pytest.raises(RootlessError, match="no name for the file"):
        trees.copy([HttpSource(web.url("/f"), filename)], "/x/", add=True)


def test_an_archive_of_pythons_own(trees: Trees) -> None:
    """Of many names, larger than what is read at once."""
    with tarfile.open(trees.context / "a", "w:xz") as made:
        for number in range(3000):
            info = tarfile.TarInfo(f"dir{number % 7}/file{number}")
            info.size = number
            made.addfile(info, io.BytesIO(b"x" * number))
    done = trees.copy("a", "/x", add=True)
    assert done.written.files == 3000
    assert (trees.root / "x/dir3/file2999").exists() is (2999 % 7 == 3)
