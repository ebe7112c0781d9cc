"""volume export and import: what a volume holds goes out and comes back; hostile archives, Podman's archives, kills."""

from __future__ import annotations

import gzip
import io
import os
import signal
import subprocess
import tarfile
from pathlib import Path

import pytest

from tests.harness import images
from tests.harness.command import Rootless
from tests.harness.podman import Podman

FILL = (
    "mkdir -p /d/dir/deep; echo -n one >/d/dir/one; ln /d/dir/one /d/linked; ln -s dir /d/link; chown 5:6 /d/dir/one;"
    " chmod 4750 /d/dir/one; mkfifo /d/fifo; chown 7:8 /d; chmod 2711 /d"
)
LOOK = "cd /d; stat -c '%n %a %u:%g %h %F' . dir dir/one linked link fifo; cat linked; readlink link"


def inside(rootless: Rootless, image: str, name: str, script: str) -> str:
    return rootless("run", "--rm", "--network", "none", "-v", f"{name}:/d:nocopy", image, "sh", "-c", script).stdout


@pytest.mark.parametrize("to_file", [False, True])
def test_out_and_back(rootless: Rootless, busybox_image: str, tmp_path: Path, to_file: bool) -> None:
    inside(rootless, busybox_image, "one", FILL)
    path = tmp_path / "one.tar"
    if to_file:
        rootless("volume", "export", "-o", path, "one")
        assert os.listdir(tmp_path) == ["one.tar"]
        assert path.stat().st_mode & 0o777 == 0o600, "what is in a volume may be secret"
    else:
        path.write_bytes(rootless("volume", "export", "one").raw)
    # A device, or a pipe, is written to, and not replaced.
    rootless("volume", "export", "-o", "/dev/null", "one")
    assert not Path("/dev/null").is_file()
    rootless("volume", "create", "two")
    rootless("volume", "import", "two", path)
    rootless("volume", "create", "three")
    rootless("volume", "import", "three", "-", stdin=gzip.compress(path.read_bytes()))
    looks = {inside(rootless, busybox_image, name, LOOK) for name in ("one", "two", "three")}
    assert len(looks) == 1
    assert "dir/one 4750 5:6 2 regular file" in looks.pop()
    rootless("volume", "rm", "one", "two", "three")


def test_what_is_there_stays(rootless: Rootless, busybox_image: str) -> None:
    inside(rootless, busybox_image, "data", "mkdir /d/dir; echo kept >/d/dir/kept; echo old >/d/dir/one; ln -s /etc /d/dir/l")
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name in ("dir/one", "dir/l", "new/f"):
            images.add(tar, name, b"new\n")
    rootless("volume", "import", "data", "-", stdin=buffer.getvalue())
    assert inside(rootless, busybox_image, "data", "cd /d; cat dir/kept dir/one dir/l new/f") == "kept\nnew\nnew\nnew\n"
    rootless("volume", "rm", "data")


def test_into_a_directory_by_another_name(rootless: Rootless, tmp_path: Path) -> None:
    """A volume whose files lie on another file system: copied there."""
    rootless("volume", "create", "-o", "type=none", "-o", "o=bind", "-o", f"device={tmp_path}", "named")
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        images.add(tar, "dir/f", b"x")
    rootless("volume", "import", "named", "-", stdin=buffer.getvalue())
    assert (tmp_path / "dir/f").read_text() == "x"
    with tarfile.open(fileobj=io.BytesIO(rootless("volume", "export", "named").raw)) as tar:
        assert "./dir/f" in tar.getnames() or "dir/f" in tar.getnames()
    rootless("volume", "rm", "named")


@pytest.mark.parametrize("kind", ["absolute", "dots", "link", "hard link", "rubbish", "cut", "conflict"])
def test_hostile_archives(rootless: Rootless, busybox_image: str, tmp_path: Path, kind: str) -> None:
    (tmp_path / "victim").write_text("untouched")
    inside(rootless, busybox_image, "data", "echo old >/d/old; mkdir /d/dir")
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        if kind == "absolute":
            images.add(tar, str(tmp_path / "victim"), b"written")
        elif kind == "dots":
            images.add(tar, "../" * 20 + str(tmp_path / "victim")[1:], b"written")
        elif kind == "link":
            images.add(tar, "l", kind=tarfile.SYMTYPE, target=str(tmp_path))
            images.add(tar, "l/victim", b"written")
        elif kind == "hard link":
            images.add(tar, "h", kind=tarfile.LNKTYPE, target=str(tmp_path / "victim"))
        else:
            images.add(tar, "old", b"new")
            images.add(tar, "dir", b"a file")
    data = buffer.getvalue()
    data = b"rubbish" * 1000 if kind == "rubbish" else data[:1100] if kind == "cut" else data
    done = rootless("volume", "import", "data", "-", stdin=data, status=None)
    assert (tmp_path / "victim").read_text() == "untouched"
    if kind in ("rubbish", "cut", "hard link"):
        assert done.status == 1
        assert inside(rootless, busybox_image, "data", "cat /d/old; ls /d") == "old\ndir\nold\n"
    assert os.listdir(rootless.root / "tmp") == []
    rootless("volume", "rm", "data")


def test_errors(rootless: Rootless, tmp_path: Path) -> None:
    assert "no such volume" in rootless("volume", "export", "none", status=1).stderr
    assert "no such volume" in rootless("volume", "import", "none", "-", status=1).stderr
    rootless("volume", "create", "data")
    assert "no such file" in rootless("volume", "import", "data", tmp_path / "none", status=1).stderr
    rootless("volume", "create", "-o", "type=tmpfs", "-o", "device=tmpfs", "memory")
    assert "is a tmpfs" in rootless("volume", "export", "memory", status=1).stderr
    rootless("volume", "rm", "data", "memory")


def test_podmans_archives(rootless: Rootless, busybox_image: str, podman: Podman, tmp_path: Path) -> None:
    inside(rootless, busybox_image, "data", "mkdir /d/dir; echo ours >/d/dir/f")
    rootless("volume", "export", "-o", tmp_path / "ours.tar", "data")
    podman("volume", "create", "data")
    podman("volume", "import", "data", tmp_path / "ours.tar")
    podman("volume", "export", "-o", tmp_path / "theirs.tar", "data")
    podman("volume", "rm", "data")
    rootless("volume", "create", "back")
    rootless("volume", "import", "back", tmp_path / "theirs.tar")
    assert inside(rootless, busybox_image, "back", "cat /d/dir/f") == "ours\n"
    rootless("volume", "rm", "data", "back")


def test_killed_at_any_moment(rootless: Rootless, busybox_image: str, tmp_path: Path) -> None:
    inside(rootless, busybox_image, "data", "echo -n old >/d/f")
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        for number in range(300):
            images.add(tar, f"many/{number}", b"x")
        images.add(tar, "f", b"new" * 100000)
    for step in range(5):
        process = rootless.start("volume", "import", "data", tmp_path / "a.tar")
        try:
            process.wait(0.08 + 0.05 * step)
        except subprocess.TimeoutExpired:
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
        assert inside(rootless, busybox_image, "data", "wc -c </d/f") in ("3\n", "300000\n")
    rootless("volume", "import", "data", tmp_path / "a.tar")
    assert os.listdir(rootless.root / "tmp") == []
    assert inside(rootless, busybox_image, "data", "ls /d/many | wc -l") == "300\n"
    rootless("volume", "rm", "data")
