"""--user looked up in an image's own files, which may be anything."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rootless.errors import InvalidInput
from rootless.runtime.process.passwd import MAX_ID, User, find_user

PASSWD = "root:x:0:0:root:/root:/bin/sh\nwww:x:33:33::/var/www:/bin/false\nbroken:x:a:b\n\nshort\n"
GROUP = "root:x:0:\nwww:x:33:\nvideo:x:44:www,root\naudio:x:29:www\n"


@pytest.fixture
def root(tmp_path: Path) -> str:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/passwd").write_text(PASSWD)
    (tmp_path / "etc/group").write_text(GROUP)
    return str(tmp_path)


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("", User(0, 0, (44,), "/root")),
        ("root", User(0, 0, (44,), "/root")),
        ("www", User(33, 33, (44, 29), "/var/www")),
        ("33", User(33, 33, (44, 29), "/var/www")),
        ("33:7", User(33, 7, (), "/var/www")),
        ("www:audio", User(33, 29, (), "/var/www")),
        ("1234", User(1234, 0, (), "/")),
        ("1234:5678", User(1234, 5678, (), "/")),
    ],
)
def test_found(root: str, spec: str, expected: User) -> None:
    assert find_user(spec, root=root) == expected._replace(groups_asked=False)


def test_added_groups(root: str) -> None:
    found = find_user("1234", ("audio", "99"), root=root)
    assert (found.groups, found.groups_asked) == ((29, 99), True)


@pytest.mark.parametrize(
    "spec", ["nobody", "www:nogroup", str(MAX_ID + 1), "99999999999999999999", "0:x", "-1"]
)
def test_refused(root: str, spec: str) -> None:
    with pytest.raises(InvalidInput):
        find_user(spec, root=root)


def test_image_without_files(tmp_path: Path) -> None:
    assert find_user("", root=str(tmp_path)) == User(0, 0, (), "/root", groups_asked=False)
    assert find_user("5:6", root=str(tmp_path)) == User(5, 6, (), "/", groups_asked=False)


def test_fifo_in_place_of_passwd_does_not_hang(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    os.mkfifo(tmp_path / "etc/passwd")
    assert find_user("7", root=str(tmp_path)).uid == 7


def test_huge_passwd_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    with open(tmp_path / "etc/passwd", "wb") as file:
        file.truncate(1 << 40)
    assert find_user("7", root=str(tmp_path)).uid == 7


def test_cve_2016_3697_a_number_is_never_a_name(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/passwd").write_text("1000:x:0:0::/:/bin/sh\n")
    (tmp_path / "etc/group").write_text("1000:x:0:\n")
    assert find_user("1000:1000", root=str(tmp_path))[:2] == (1000, 1000)
