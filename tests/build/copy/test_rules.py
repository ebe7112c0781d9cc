"""What COPY writes where: Docker's rules, each as a case."""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path

import pytest

from rootless.build.plan.sources import CONTEXT
from rootless.build.plan.steps import InlineSource, PathSource
from rootless.errors import Conflict, InvalidInput, NotFound, RootlessError
from tests.build.copy.copying import Trees

FILE = "644 0:0 "
DIRECTORY = "755 0:0"


@pytest.mark.parametrize(
    ("words", "destination", "expected"),
    [
        ("a", "/x", {"x": FILE + "A"}),
        ("a", "/x/", {"x/": DIRECTORY, "x/a": FILE + "A"}),
        ("a", "/", {"a": FILE + "A"}),
        ("a", "/p/q/r", {"p/": DIRECTORY, "p/q/": DIRECTORY, "p/q/r": FILE + "A"}),
        ("/a", "/x", {"x": FILE + "A"}),
        ("../../a", "/x", {"x": FILE + "A"}),
        ("d/../a", "/x", {"x": FILE + "A"}),
        ("d", "/x", {"x/": DIRECTORY, "x/b": FILE + "B", "x/e/": DIRECTORY, "x/e/c": FILE + "C"}),
        ("d/", "/", {"b": FILE + "B", "e/": DIRECTORY, "e/c": FILE + "C"}),
        ("d/e a", "/x/", {"x/": DIRECTORY, "x/c": FILE + "C", "x/a": FILE + "A"}),
        ("d/b a", "/x/", {"x/": DIRECTORY, "x/a": FILE + "A", "x/b": FILE + "B"}),
        (
            "?",
            "/x/",
            {"x/": DIRECTORY, "x/a": FILE + "A", "x/b": FILE + "B", "x/e/": DIRECTORY, "x/e/c": FILE + "C"},
        ),
        ("d/*", "/x/", {"x/": DIRECTORY, "x/b": FILE + "B", "x/c": FILE + "C"}),
        ("*/*/c", "/x/", {"x/": DIRECTORY, "x/c": FILE + "C"}),
        ("[ab]", "/x", {"x": FILE + "A"}),
        ("nothing*", "/x/", {}),
        (
            "**",
            "/x/",
            {"x/": DIRECTORY, "x/a": FILE + "A", "x/b": FILE + "B", "x/e/": DIRECTORY, "x/e/c": FILE + "C"},
        ),
    ],
)
def test_where_files_go(trees: Trees, words: str, destination: str, expected: dict[str, str]) -> None:
    trees.write(a="A", d__b="B", d__e__c="C")
    done = trees.copy(words, destination)
    assert done.files == expected
    assert done.written.digest == done.key


def test_into_a_directory_that_is_there(trees: Trees) -> None:
    trees.write(a="A")
    (trees.root / "x").mkdir(mode=0o700)
    assert trees.copy("a", "/x").files == {"x/": "700 0:0", "x/a": FILE + "A"}


def test_over_what_is_there(trees: Trees) -> None:
    trees.write(d__a="new", d__e__f="F")
    (trees.context / "d/e").chmod(0o750)
    (trees.root / "e").mkdir(mode=0o700)
    (trees.root / "a").symlink_to("elsewhere")
    (trees.root / "elsewhere").write_text("old")
    assert trees.copy("d", "/").files == {
        "a": FILE + "new", "elsewhere": FILE + "old", "e/": "750 0:0", "e/f": FILE + "F",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("words", "destination", "error", "text"),
    [
        ("missing", "/x", NotFound, '"/missing": not found'),
        ("a/b", "/x", NotFound, '"/a/b": not found'),
        ("d a", "/x/file", Conflict, "no directory"),
        ("d", "/x/file", Conflict, "no directory"),
        ("a", "/x/file/", Conflict, "no directory"),
        ("d", "/x", Conflict, "cannot copy to non-directory: e"),
        ("f", "/x/", Conflict, "cannot replace to directory"),
        ("a d/b", "/y", InvalidInput, "more than one source file"),
        ("[ad]/../a d/b", "/y", InvalidInput, "more than one source file"),
        ("[a", "/x", InvalidInput, "syntax error in pattern"),
    ],
)
def test_what_cannot_be(
    trees: Trees, words: str, destination: str, error: type[RootlessError], text: str
) -> None:
    trees.write(a="A", d__b="B", d__e__c="C", f__file="F")
    (trees.root / "x").mkdir()
    (trees.root / "x/file").write_text("")
    (trees.root / "x/e").write_text("")
    if words == "f":
        (trees.root / "x/file").unlink()
        (trees.root / "x/file").mkdir()
    with pytest.raises(error, match=text.replace("[", r"\[")):
        trees.copy(words, destination)


def test_a_file_that_is_named_as_a_pattern(trees: Trees) -> None:
    (trees.context / "a[1]*").write_text("odd")
    assert trees.copy("a[[]1]*", "/x").files == {"x": FILE + "odd"}


@pytest.mark.parametrize("word", [r"a\[1\]\*", r"a\[1]\*"])
def test_and_with_backslashes(trees: Trees, word: str) -> None:
    (trees.context / "a[1]*").write_text("odd")
    assert trees.copy(word, "/x").files == {"x": FILE + "odd"}


def test_links_named_are_followed_and_links_in_a_tree_are_kept(trees: Trees) -> None:
    trees.write(d__b="B")
    (trees.context / "to-file").symlink_to("d/b")
    (trees.context / "to-directory").symlink_to("/d")
    (trees.context / "d/inner").symlink_to("/etc/passwd")
    assert trees.copy("to-file to-directory", "/x/").files == {
        "x/": DIRECTORY, "x/to-file": FILE + "B", "x/b": FILE + "B", "x/inner": "-> /etc/passwd",
    }  # fmt: skip


def test_links_of_the_destination_are_followed_inside_the_root(trees: Trees) -> None:
    trees.write(a="A", d__b="B")
    (trees.root / "usr/lib").mkdir(parents=True)
    (trees.root / "lib").symlink_to("/usr/lib")
    (trees.root / "file").symlink_to("usr/lib/real")
    (trees.root / "new").symlink_to("../../made/here")
    assert trees.copy("d", "/lib/").files["usr/lib/b"] == FILE + "B"
    assert trees.copy("a", "/file").files["usr/lib/real"] == FILE + "A"
    assert trees.copy("a", "/new").files["made/here"] == FILE + "A"
    assert trees.copy("a", "/new2/").files["new2/a"] == FILE + "A"


def test_modes_times_and_hard_links_are_kept(trees: Trees) -> None:
    trees.write(d__a="A")
    source = trees.context / "d/a"
    source.chmod(0o4751)
    os.utime(source, ns=(1, 1_234_567_890_123_456_789))
    os.link(source, trees.context / "d/b")
    (trees.context / "d/e").mkdir()
    os.link(source, trees.context / "d/e/c")
    (trees.context / "d/e").chmod(0o1777)
    os.utime(trees.context / "d/e", ns=(1, 1_000_000_000))
    done = trees.copy("d", "/x")
    assert done.files == {
        "x/": DIRECTORY, "x/a": "4751 0:0 A", "x/b": "4751 0:0 A", "x/e/": "1777 0:0", "x/e/c": "4751 0:0 A",
    }  # fmt: skip
    first = (trees.root / "x/a").stat()
    assert (first.st_mtime_ns, first.st_nlink) == (1_234_567_890_123_456_789, 3)
    assert (trees.root / "x/e").stat().st_mtime_ns == 1_000_000_000
    assert done.key == done.written.digest


def test_times_of_source_date_epoch(trees: Trees) -> None:
    trees.write(d__a="A")
    trees.copy("d", "/x", epoch=77)
    assert (trees.root / "x/a").stat().st_mtime_ns == 77_000_000_000


def test_extended_attributes(trees: Trees) -> None:
    trees.write(d__a="A")
    os.setxattr(trees.context / "d/a", "user.kept", b"1")
    os.setxattr(trees.context / "d/a", "user.overlay.opaque", b"y")
    done = trees.copy("d", "/x")
    assert os.listxattr(trees.root / "x/a") == ["user.kept"]
    assert done.key == done.written.digest


def test_large_files_and_holes(trees: Trees) -> None:
    with (trees.context / "large").open("wb") as file:
        file.write(os.urandom(300_000))
        file.seek(8 << 20)
        file.write(b"end")
    trees.copy("large", "/x")
    assert subprocess.run(["cmp", trees.context / "large", trees.root / "x"], check=False).returncode == 0
    assert (trees.root / "x").stat().st_blocks * 512 < 4 << 20


def test_heredocs_are_files_that_nothing_filters(trees: Trees) -> None:
    trees.write(a="A")
    done = trees.copy(
        [PathSource(CONTEXT, ("a",)), InlineSource("b*", "text\n"), InlineSource("c", "")], "/x/",
        ignore=["b*", "c"], excludes=("b*",), chmod="600", chown="1:2",
    )  # fmt: skip
    modes = {name: text.split(" ")[0] for name, text in done.files.items()}
    assert modes == {"x/": "755", "x/a": "600", "x/b*": "600", "x/c": "600"}
    assert (trees.root / "x/b*").stat().st_size == 5


def test_what_is_no_file_is_left_out_and_told(trees: Trees) -> None:
    trees.write(d__a="A")
    os.mkfifo(trees.context / "d/fifo", 0o640)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(trees.context / "d/socket"))
    (trees.context / "d/.wh.a").write_text("hides")
    (trees.context / "d/.wh.dir").mkdir()
    (trees.context / "d/.wh.dir/x").write_text("")
    done = trees.copy("d", "/x")
    assert done.files == {"x/": DIRECTORY, "x/a": FILE + "A", "x/fifo": "640 0:0 type 10000"}
    assert any("socket" in line for line in done.written.notes)
    assert any(".wh." in line for line in done.written.notes)


def test_names_that_are_no_utf_8(trees: Trees) -> None:
    name = os.fsdecode(b"\xff\n\xfe")
    (trees.context / name).write_text("A")
    done = trees.copy(".", "/")
    assert done.files == {name: FILE + "A"}
    assert done.key == done.written.digest


def test_a_file_that_cannot_be_read(trees: Trees) -> None:
    """Of another account: the session's root may read all that is the caller's."""
    (trees.context / "shadow").symlink_to("x")

    def bind() -> None:
        (trees.context / "x").write_text("")
        os.chown(trees.context / "x", 5, 5)
        os.chmod(trees.context / "x", 0)
        os.seteuid(7)

    with pytest.raises(RootlessError, match="cannot read 'x' of the context: Permission denied") as caught:
        trees.copy("x", "/y", before=bind)
    assert "dockerignore" in (caught.value.hint or "")


def test_a_deep_tree(trees: Trees) -> None:
    path = trees.context / "d"
    path.mkdir()
    here = os.open(path, os.O_RDONLY)
    for _ in range(700):
        os.mkdir("n", dir_fd=here)
        inner = os.open("n", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = inner
    os.close(here)
    assert trees.copy("d", "/x").written.files == 700


@pytest.mark.parametrize("link", ["a", "../context/a", "/a/", "b"])
def test_links_in_circles(trees: Trees, link: str) -> None:
    (trees.context / "a").symlink_to(link)
    (trees.context / "b").symlink_to("a")
    with pytest.raises(NotFound):
        trees.copy("a", "/x")
    assert Path(trees.copy(".", "/y").files["y/a"].removeprefix("-> ")) == Path(link)
