"""Files where `os` stops."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from rootless.linux.filesystem import chmod_nofollow


def test_the_mode_of_a_link_s_target_stays(tmp_path: Path) -> None:
    (tmp_path / "file").touch(0o600)
    (tmp_path / "link").symlink_to("file")
    fd = os.open(tmp_path, os.O_RDONLY)
    try:
        with pytest.raises(OSError) as caught:
            chmod_nofollow("link", 0o777, dir_fd=fd)
        assert caught.value.errno == errno.EOPNOTSUPP
        assert (tmp_path / "file").stat().st_mode & 0o7777 == 0o600
        chmod_nofollow("file", 0o4711, dir_fd=fd)
        assert (tmp_path / "file").stat().st_mode & 0o7777 == 0o4711
    finally:
        os.close(fd)
    # A directory that nobody may enter, and a FIFO, which would wait for a reader.
    (tmp_path / "closed").mkdir(0)
    os.mkfifo(tmp_path / "fifo")
    for name in ("closed", "fifo"):
        chmod_nofollow(str(tmp_path / name), 0o700)
        assert (tmp_path / name).stat().st_mode & 0o7777 == 0o700
