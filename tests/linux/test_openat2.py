from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from rootless.linux.openat2 import (
    RESOLVE_BENEATH,
    RESOLVE_IN_ROOT,
    RESOLVE_NO_MAGICLINKS,
    RESOLVE_NO_SYMLINKS,
    openat2,
)


@pytest.fixture
def root(tmp_path: Path) -> int:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/passwd").write_text("inside")
    (tmp_path / "absolute").symlink_to("/etc/passwd")
    (tmp_path / "upwards").symlink_to("../../../../etc/passwd")
    return os.open(tmp_path, os.O_PATH | os.O_DIRECTORY)


@pytest.mark.parametrize("name", ["absolute", "upwards", "/etc/passwd", "../../etc/passwd"])
def test_everything_resolves_inside_the_root(root: int, name: str) -> None:
    fd = openat2(root, name, os.O_RDONLY, resolve=RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS)
    assert os.read(fd, 100) == b"inside"
    assert not os.get_inheritable(fd)
    os.close(fd)


@pytest.mark.parametrize(
    ("name", "resolve", "code"),
    [
        ("absolute", RESOLVE_BENEATH, errno.EXDEV),
        ("../x", RESOLVE_BENEATH, errno.EXDEV),
        ("absolute", RESOLVE_NO_SYMLINKS, errno.ELOOP),
        ("missing", RESOLVE_IN_ROOT, errno.ENOENT),
    ],
)
def test_ways_out_are_errors_that_name_the_path(root: int, name: str, resolve: int, code: int) -> None:
    with pytest.raises(OSError) as caught:
        openat2(root, name, os.O_RDONLY, resolve=resolve)
    assert (caught.value.errno, caught.value.filename) == (code, name)


def test_mode_counts_when_creating(root: int, tmp_path: Path) -> None:
    os.close(openat2(root, "new", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o640, RESOLVE_IN_ROOT))
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o640
