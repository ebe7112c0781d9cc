"""--chown and --chmod, and what the key says of them."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from rootless.build.copy.mode import Mode
from rootless.errors import InvalidInput
from tests.build.copy.copying import Trees

REGULAR, FOLDER = stat.S_IFREG, stat.S_IFDIR


@pytest.mark.parametrize(
    ("text", "before", "after"),
    [
        ("", REGULAR | 0o644, 0o644),
        ("755", REGULAR | 0o644, 0o755),
        ("0", REGULAR | 0o644, 0),
        ("07777", REGULAR | 0o644, 0o7777),
        ("u+x", REGULAR | 0o644, 0o744),
        ("+x", REGULAR | 0o644, 0o755),
        ("a-r", REGULAR | 0o644, 0o200),
        ("u=rwX,go=rX", REGULAR | 0o600, 0o644),
        ("u=rwX,go=rX", REGULAR | 0o700, 0o755),
        ("u=rwX,go=rX", FOLDER | 0o600, 0o755),
        ("go=", REGULAR | 0o777, 0o700),
        ("g=u", REGULAR | 0o640, 0o660),
        ("o=g", REGULAR | 0o640, 0o644),
        ("u+s,g+s", REGULAR | 0o755, 0o6755),
        ("+t", FOLDER | 0o777, 0o1777),
        ("u=rwx", REGULAR | 0o4000, 0o700),
        ("u=rwx", FOLDER | 0o2755, 0o2755),
        ("ug+w-x", REGULAR | 0o755, 0o665),
    ],
)
def test_modes(text: str, before: int, after: int) -> None:
    assert oct(Mode(text).of(before)) == oct(after)


@pytest.mark.parametrize("text", ["8", "10000", "077777", "u", "u+y", "rwx", ",", "u+x,", "1x", "９"])
def test_what_is_no_mode(text: str) -> None:
    with pytest.raises(InvalidInput, match="invalid chmod parameter"):
        Mode(text)


@pytest.fixture
def users(tmp_path: Path) -> Path:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/passwd").write_text("root:x:0:0::/:/bin/sh\nbob:x:33:44::/:\n7:x:0:0::/:\n")
    (tmp_path / "etc/group").write_text("root:x:0:\nstaff:x:50:bob\n")
    tmp_path.chmod(0o755)
    return tmp_path


@pytest.mark.parametrize(
    ("chown", "expected"),
    [
        ("", (0, 0)),
        ("5", (5, 5)),
        ("5:6", (5, 6)),
        ("bob", (33, 44)),
        ("bob:", (33, 0)),
        ("5:", (5, 0)),
        (":5", (0, 5)),
        (":staff", (0, 50)),
        ("bob:staff", (33, 50)),
        ("9:staff", (9, 50)),
        ("bob:1", (33, 1)),
        ("7", (7, 7)),
    ],
)
def test_owners(trees: Trees, users: Path, chown: str, expected: tuple[int, int]) -> None:
    trees.write(d__e__a="A")

    def ids() -> None:
        for path in ("x", "x/y", "x/y/e", "x/y/e/a"):
            status = (trees.root / path).lstat()
            assert (status.st_uid, status.st_gid) == expected, path

    trees.copy("d", "/x/y/", chown=chown, users=users)
    trees._joined(ids)


@pytest.mark.parametrize(
    "chown", ["alice", "bob:nogroup", ":nogroup", "4294967295", "-1", "1:-1", "99999999999999"]
)
def test_owners_that_are_none(trees: Trees, users: Path, chown: str) -> None:
    trees.write(a="A")
    with pytest.raises(InvalidInput):
        trees.copy("a", "/x", chown=chown, users=users)


def test_an_owner_without_an_id_here_is_noted(trees: Trees) -> None:
    trees.write(d__a="A")
    done = trees.copy("d", "/x/y", chown="100000000:5")
    assert done.written.owners == dict.fromkeys(("x", "x/y", "x/y/a"), (100000000, 5))


def test_from_keeps_owners(trees: Trees) -> None:
    trees.write(d__a="A")

    def give() -> None:
        os.chown(trees.context / "d/a", 3, 4)

    def check() -> None:
        status = (trees.root / "x/a").stat()
        assert (status.st_uid, status.st_gid) == (3, 4)

    trees.copy("d", "/x", keeps_owners=True, before=give)
    trees._joined(check)


# -- the key ---------------------------------------------------------------------------------------


def key(trees: Trees, **flags: object) -> str:
    done = trees.copy("d", "/x", **flags)  # type: ignore[arg-type]
    assert done.written.digest == done.key
    return done.key


def test_modes_and_owners_count_as_they_will_be(trees: Trees) -> None:
    """BuildKit's key has the source's mode even where --chmod replaces it (moby/buildkit#4374)."""
    trees.write(d__a="A")
    first, fixed = key(trees), key(trees, chmod="600")
    (trees.context / "d/a").chmod(0o777)
    assert key(trees) != first
    assert key(trees, chmod="600") == fixed
    assert key(trees, chown="3") != key(trees)
    assert key(trees, chown="3:3") == key(trees, chown="3")


def test_times_and_places_do_not_count(trees: Trees) -> None:
    trees.write(d__a="A", d__e__b="B")
    first = key(trees)
    os.utime(trees.context / "d/a", (5, 5))
    os.utime(trees.context / "d/e", (5, 5))
    assert key(trees) == first
    (trees.context / "d").rename(trees.context / "other")
    assert trees.copy("other", "/x").key == first


@pytest.mark.parametrize(
    "change", ["content", "name", "more", "less", "link", "type", "xattr", "hard link", "empty directory"]
)
def test_everything_else_counts(trees: Trees, change: str) -> None:
    trees.write(d__a="A", d__b="A", d__c="C")
    (trees.context / "d/link").symlink_to("a")
    first, top = key(trees), trees.context / "d"
    if change == "content":
        (top / "a").write_text("B")
    elif change == "name":
        (top / "a").rename(top / "aa")
    elif change == "more":
        (top / "new").write_text("")
    elif change == "less":
        (top / "c").unlink()
    elif change == "link":
        (top / "link").unlink()
        (top / "link").symlink_to("b")
    elif change == "type":
        (top / "link").unlink()
        (top / "link").write_text("a")
    elif change == "xattr":
        os.setxattr(top / "a", "user.x", b"1")
    elif change == "hard link":
        (top / "b").unlink()
        os.link(top / "a", top / "b")
    else:
        (top / "empty").mkdir()
    assert key(trees) != first


def test_what_is_left_out_does_not_count(trees: Trees) -> None:
    trees.write(d__a="A")
    first = trees.copy("d", "/x").key
    trees.write(d__secret="S", other="O")
    assert trees.copy("d", "/x", ignore=["d/secret"]).key == first
    assert trees.copy("d", "/x", excludes=("secret",)).key == first


def test_a_file_that_changes_meanwhile(trees: Trees) -> None:
    """What is written has a digest of its own then: the key's would bring the wrong files back."""
    trees.write(d__a="old")
    unchanged = trees.copy("d", "/x").key

    def change() -> None:
        (trees.context / "d/a").write_text("new")

    done = trees.copy("d", "/x", between=change)
    assert done.files["x/a"].endswith("new")
    assert done.key == unchanged
    assert done.written.digest == trees.copy("d", "/x").key != unchanged
