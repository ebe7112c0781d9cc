"""Which files a source word means: --parents, --exclude, the ignore file."""

from __future__ import annotations

import pytest

from rootless.errors import NotFound
from tests.build.copy.copying import Trees

FILE = "644 0:0 "
DIRECTORY = "755 0:0"


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("a/b/c", {"x/": DIRECTORY, "x/a/": DIRECTORY, "x/a/b/": DIRECTORY, "x/a/b/c": FILE + "C"}),
        ("a/./b/c", {"x/": DIRECTORY, "x/b/": DIRECTORY, "x/b/c": FILE + "C"}),
        ("./a/./b", {"x/": DIRECTORY, "x/b/": DIRECTORY, "x/b/c": FILE + "C", "x/b/d.md": FILE + "D"}),
        ("**/*.md", {"x/": DIRECTORY, "x/a/": DIRECTORY, "x/a/b/": DIRECTORY, "x/a/b/d.md": FILE + "D", "x/t.md": FILE + "T"}),
        ("*/./*/c", {"x/": DIRECTORY, "x/b/": DIRECTORY, "x/b/c": FILE + "C"}),
        ("nothing/*", {"x/": DIRECTORY}),
    ],
)  # fmt: skip
def test_parents(trees: Trees, word: str, expected: dict[str, str]) -> None:
    trees.write(a__b__c="C", a__b__d="", t="")
    (trees.context / "a/b/d").rename(trees.context / "a/b/d.md")
    (trees.context / "a/b/d.md").write_text("D")
    (trees.context / "t").rename(trees.context / "t.md")
    (trees.context / "t.md").write_text("T")
    done = trees.copy(word, "/x/", parents=True)
    assert done.files == expected
    assert done.key == done.written.digest


def test_parents_of_nothing(trees: Trees) -> None:
    trees.write(a__b="B")
    with pytest.raises(NotFound, match='"/a/x": not found'):
        trees.copy("a/./x", "/y/", parents=True)


@pytest.mark.parametrize(
    ("words", "excludes", "expected"),
    [
        ("d", ["*.md"], {"b", "e/", "e/y.md", "e/z"}),
        ("d", ["**/*.md"], {"b", "e/", "e/z"}),
        ("d", ["e"], {"b", "x.md"}),
        ("d", ["/e"], {"b", "x.md"}),
        ("d", ["*", "!e/z"], {"e/", "e/z"}),
        ("d/*", ["*.md"], {"b", "z"}),
        ("d/x.md", ["*.md"], set()),
    ],
)
def test_excludes(trees: Trees, words: str, excludes: list[str], expected: set[str]) -> None:
    for name in ("b", "x.md", "e/y.md", "e/z"):
        (trees.context / "d/e").mkdir(parents=True, exist_ok=True)
        (trees.context / "d" / name).write_text("")
    assert set(trees.copy(words, "/", excludes=tuple(excludes)).files) == expected


def test_the_ignore_file(trees: Trees) -> None:
    trees.write(keep__a="A", out__b="B", out__c__d="D", e="E")
    ignore = ["out", "!out/c/d", "e"]
    assert set(trees.copy(".", "/x/", ignore=ignore).files) == {
        "x/",
        "x/keep/",
        "x/keep/a",
        "x/out/",
        "x/out/c/",
        "x/out/c/d",
    }
    for word in ("e", "out/b"):
        with pytest.raises(NotFound, match="not found") as caught:
            trees.copy(word, "/y/", ignore=ignore)
        assert caught.value.hint is not None
        assert ".dockerignore leaves it out" in caught.value.hint
    assert set(trees.copy("out", "/z/", ignore=ignore).files) >= {"z/c/", "z/c/d"}
    assert "w" not in trees.copy("[e]", "/w", ignore=ignore).files


def test_an_ignored_file_is_not_reached_through_a_link(trees: Trees) -> None:
    trees.write(secret="S")
    (trees.context / "link").symlink_to("secret")
    with pytest.raises(NotFound):
        trees.copy("link", "/x", ignore=["secret"])
