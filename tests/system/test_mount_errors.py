"""What cannot be mounted is told in words, Docker's where it has some, and never as an errno."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.harness.command import Rootless

ONTO = "Are you trying to mount a directory onto a file (or vice-versa)? Check if the specified host path exists"


@pytest.mark.parametrize(
    "option",
    ["-v=vol:/etc/passwd", "-v={dir}:/etc/passwd", "-v={file}:/etc", "-v=vol:/etc/passwd/below", "-v={file}:/etc/passwd/below",
     "--tmpfs=/etc/passwd", "--tmpfs=/etc/passwd/below"],
)  # fmt: skip
def test_a_directory_onto_a_file(rootless: Rootless, busybox_image: str, tmp_path: Path, option: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "dir").mkdir()
    option = option.format(dir=tmp_path / "dir", file=tmp_path / "file")
    done = rootless("run", "--rm", "--network", "none", option, busybox_image, "true", status=125)
    assert ONTO in done.stderr
    assert f'to rootfs at "{option.rpartition(":")[2] if "-v" in option else option.partition("=")[2]}"' in done.stderr
    assert "Errno" not in done.stderr
    rootless("create", "--name", "box", option, busybox_image)
    assert "Errno" not in rootless("cp", "box:/etc/group", "-", status=None).stderr
    rootless("rm", "box")
    rootless("volume", "rm", "vol", status=None)


@pytest.mark.parametrize("option", ["--tmpfs=/t:mode=xyz", "--tmpfs=/t:uid=abc", "--tmpfs=/t:nr_inodes=-x"])
def test_options_that_the_kernel_refuses(rootless: Rootless, busybox_image: str, option: str) -> None:
    done = rootless("run", "--rm", "--network", "none", option, busybox_image, "true", status=125)
    assert "Errno" not in done.stderr
    assert option.rpartition(":")[2] in done.stderr


@pytest.mark.parametrize("path", ["/proc", "/sys", "/dev", "/proc/sys", "/dev/null", "/sys/fs/cgroup", "/etc/hosts"])
def test_over_what_is_ours(rootless: Rootless, busybox_image: str, path: str) -> None:
    done = rootless("run", "--rm", "--network", "none", "-v", f"vol:{path}", busybox_image, "true", status=None)
    assert "Errno" not in done.stderr
    rootless("volume", "rm", "vol")
