"""cp of trees and files as they come: deep, endless, with holes, the kernel's; archives in any wrapping; kills."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import signal
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from rootless.storage.remove_tree import remove_tree
from tests.harness.command import Rootless
from tests.harness.processes import wait_until

DEEP = 'cd /; i=0; while [ $i -lt $1 ]; do mkdir d; cd d; i=$((i+1)); done; echo DATA >x'


def depth(top: Path) -> tuple[int, str]:
    """How many directories named d are below each other, and what lies in the last."""
    fd, levels = os.open(top, os.O_RDONLY | os.O_DIRECTORY), 0
    while "d" in os.listdir(fd):
        inner = os.open("d", os.O_RDONLY | os.O_DIRECTORY, dir_fd=fd)
        os.close(fd)
        fd, levels = inner, levels + 1
    with open(os.open("x", os.O_RDONLY, dir_fd=fd)) as file:
        data = file.read()
    os.close(fd)
    return levels, data


@pytest.mark.parametrize("levels", [400, 1500])
def test_deep_trees(rootless: Rootless, busybox_image: str, tmp_path: Path, levels: int) -> None:
    """Neither Python's stack nor the soft limit of open files bounds them."""
    rootless("run", "--name", "box", "--network", "none", busybox_image, "sh", "-c", DEEP, "sh", str(levels))
    rootless("cp", "box:/d", tmp_path)
    assert depth(tmp_path) == (levels, "DATA\n")
    rootless("cp", tmp_path / "d", "box:/again")
    archive = rootless("cp", "box:/again", "-").raw
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        assert max(each.name.count("/") for each in tar) == levels
    remove_tree(str(tmp_path / "d"))
    rootless("rm", "box")


@pytest.mark.parametrize("driver", ["overlay", "directory"])
def test_deep_trees_exported_listed_and_copied(rootless: Rootless, busybox_image: str, tmp_path: Path, driver: str) -> None:
    """The layers of a `directory` container are copied, which goes through all of them, too."""
    rootless("run", "--name", "box", "--network", "none", busybox_image, "sh", "-c", DEEP, "sh", "1200")
    archive = tmp_path / "deep.tar"
    rootless("export", "-o", archive, "box")
    with tarfile.open(archive) as tar:
        assert max(each.name.count("/") for each in tar if each.name.startswith("d/")) == 1200
    rootless("import", archive, "deep")
    environment = {"ROOTLESS_STORAGE_DRIVER": driver}
    rootless("run", "--name", "deeper", "--network", "none", "deep", "sh", "-c", "cd /d/d && touch new", env=environment)
    changed = rootless("diff", "deeper", env=environment).lines
    assert changed == ["C /d", "C /d/d", "A /d/d/new"]
    rootless("run", "--name", "deepest", "--network", "none", "deep", "sh", "-c", DEEP.replace("cd /;", "cd /tmp;"), "sh", "1200")
    assert len(rootless("diff", "deepest").lines) == 1202
    rootless("rm", "box", "deeper", "deepest")
    rootless("rmi", "deep")


def test_deeper_than_we_go(rootless: Rootless, busybox_image: str, tmp_path: Path) -> None:
    rootless("run", "--name", "box", "--network", "none", busybox_image, "sh", "-c", DEEP, "sh", "2100")
    assert "nested more than 2000 deep" in rootless("cp", "box:/d", tmp_path, status=1).stderr
    remove_tree(str(tmp_path / "d"))
    rootless("rm", "box")


def test_a_file_that_grows_is_cut(rootless: Rootless, busybox_image: str, tmp_path: Path) -> None:
    script = "yes | dd of=/g bs=64k count=30000"
    rootless("run", "-d", "--name", "box", "--network", "none", busybox_image, "sh", "-c", script)
    rootless("exec", "box", "sh", "-c", "until [ -s /g ]; do :; done")
    rootless("cp", "box:/g", tmp_path / "g")
    with tarfile.open(fileobj=io.BytesIO(rootless("cp", "box:/g", "-").raw)) as tar:
        assert tar.getmembers()[0].size > 0
    rootless("rm", "-f", "box")
    assert 0 < (tmp_path / "g").stat().st_size < 2 << 30


def test_holes_stay_holes(rootless: Rootless, busybox_image: str, tmp_path: Path) -> None:
    with (tmp_path / "sparse").open("wb") as file:
        file.seek(1 << 30)
        file.write(b"end")
    rootless("create", "--name", "box", "-v", "data:/d", busybox_image)
    for target in ("box:/new", "box:/d/new"):
        rootless("cp", tmp_path / "sparse", target)
        rootless("cp", target, tmp_path / "back")
        status = (tmp_path / "back").stat()
        assert status.st_size == (1 << 30) + 3
        assert status.st_blocks * 512 < 1 << 20
    rootless("rm", "box")
    rootless("volume", "rm", "data")


def test_what_is_the_kernels_is_left_out(rootless: Rootless, busybox_image: str, tmp_path: Path) -> None:
    rootless("run", "-d", "--name", "box", "--network", "none", "-v", "data:/data", busybox_image, "sleep", "60")
    rootless("exec", "box", "touch", "/data/f", "/dev/shm/secret")
    done = rootless("cp", "box:/", tmp_path / "all")
    for name in ("proc", "sys", "dev"):
        assert os.listdir(tmp_path / "all" / name) == []
        assert f"{name}: " in done.stderr
    assert (tmp_path / "all/data/f").exists()
    assert (tmp_path / "all/etc/passwd").exists()
    with tarfile.open(fileobj=io.BytesIO(rootless("cp", "box:/", "-").raw)) as tar:
        names = tar.getnames()
    assert "./etc/passwd" in names
    assert not [name for name in names if name.startswith(("./proc/", "./sys/", "./dev/"))]
    rootless("cp", "box:/proc/1/status", tmp_path / "status")
    assert "Name:\tsleep" in (tmp_path / "status").read_text()
    assert "device" in rootless("cp", "box:/dev/null", tmp_path / "null", status=1).stderr
    rootless("rm", "-f", "box")
    rootless("volume", "rm", "data")


def archive_of(name: str, data: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        entry = tarfile.TarInfo(name)
        entry.size = len(data)
        tar.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress, lzma.compress, zstandard.ZstdCompressor().compress])
def test_archives_in_any_wrapping(rootless: Rootless, busybox_image: str, pack: Callable[[bytes], bytes]) -> None:
    rootless("create", "--name", "box", "-v", "data:/d", busybox_image)
    rootless("cp", "-", "box:/d", stdin=pack(archive_of("f", b"packed")))
    with tarfile.open(fileobj=io.BytesIO(rootless("cp", "box:/d/f", "-").raw)) as tar:
        member = tar.extractfile("f")
        assert member is not None
        assert member.read() == b"packed"
    rootless("rm", "box")
    rootless("volume", "rm", "data")


@pytest.mark.parametrize("rubbish", [b"", b"no archive at all", gzip.compress(b"not inside either"), b"\x1f\x8bbroken" * 99])
def test_what_is_no_archive(rootless: Rootless, busybox_image: str, rubbish: bytes) -> None:
    rootless("create", "--name", "box", busybox_image)
    stderr = rootless("cp", "-", "box:/tmp", stdin=rubbish, status=1).stderr
    assert "this is no archive" in stderr or "damaged gzip stream" in stderr
    rootless("rm", "box")


def test_a_bomb_takes_no_memory(rootless: Rootless, busybox_image: str, tmp_path: Path) -> None:
    """Zeros, four hundred times what they take, and less memory than they are."""
    plain = tmp_path / "zeros"
    with plain.open("wb") as file:
        file.truncate(400 << 20)
    tar = tmp_path / "bomb.tar.gz"
    subprocess.run(["tar", "-C", tmp_path, "-czf", tar, "zeros"], check=True)
    rootless("create", "--name", "box", busybox_image)
    words = " ".join([*rootless.argv, "cp", "-", "box:/tmp"])
    done = subprocess.run(["sh", "-c", f"ulimit -v 380000; exec {words} <{tar}"], env=rootless.environment,
                          capture_output=True, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr
    rootless("rm", "box")


def test_a_file_onto_itself_and_a_directory_into_itself(
    rootless: Rootless, busybox_image: str, tmp_path: Path
) -> None:
    """By way of a bind mount, source and target are the same."""
    (tmp_path / "d").mkdir()
    (tmp_path / "f").write_text("kept")
    rootless("create", "--name", "box", "-v", f"{tmp_path}:/b", busybox_image)
    for source, target in ((tmp_path / "f", "box:/b/f"), ("box:/b/f", tmp_path / "f"), ("box:/b/f", "box:/b/f")):
        rootless("cp", source, target)
        assert (tmp_path / "f").read_text() == "kept"
    stderr = rootless("cp", "box:/b", tmp_path / "d", status=1).stderr
    assert "into itself" in stderr
    rootless("rm", "box")


def test_between_containers(rootless: Rootless, busybox_image: str) -> None:
    rootless("run", "--name", "one", "--network", "none", busybox_image, "sh", "-c",
             "mkdir /x; echo hi >/x/f; chown 5:6 /x/f; chmod 4755 /x/f")  # fmt: skip
    rootless("run", "-d", "--name", "two", "--network", "none", busybox_image, "sleep", "60")
    rootless("cp", "one:/x", "two:/plain")
    rootless("cp", "-a", "one:/x", "two:/kept")
    rootless("cp", "two:/kept/f", "one:/x/g")
    rootless("cp", "two:/kept/f", "two:/h")
    script = "stat -c '%u:%g %a' /plain/f /kept/f /h; cat /h"
    assert rootless("exec", "two", "sh", "-c", script).lines == ["0:0 4755", "5:6 4755", "0:0 4755", "hi"]
    rootless("rm", "-f", "one", "two")


def test_two_copies_in_opposite_directions(rootless: Rootless, busybox_image: str) -> None:
    """Each holds both containers: they take them in one order."""
    for name in ("one", "two"):
        rootless("create", "--name", name, busybox_image)
    for _ in range(5):
        both = [rootless.start("cp", "one:/bin", "two:/new"), rootless.start("cp", "two:/bin", "one:/new")]
        assert [each.wait(60) for each in both] == [0, 0]
    rootless("rm", "one", "two")


def test_a_stopped_container_waits_with_its_start_for_the_copy(rootless: Rootless, busybox_image: str) -> None:
    rootless("create", "--name", "box", "--network", "none", busybox_image, "true")
    reader, writer = os.pipe()
    copy = rootless.start("cp", "box:/bin", "-", stdout=writer)
    os.close(writer)
    assert os.read(reader, 1)
    start = rootless.start("start", "-a", "box")
    with open(reader, "rb") as rest:
        rest.read()
    assert (copy.wait(60), start.wait(60)) == (0, 0)
    rootless("rm", "box")


@pytest.mark.parametrize("way", ["in", "out", "stream"])
def test_killed_at_any_moment(rootless: Rootless, busybox_image: str, tmp_path: Path, way: str) -> None:
    """What was there is the old or the new; no mount is left, and the next copy works."""
    (tmp_path / "tree").mkdir()
    (tmp_path / "out/tree").mkdir(parents=True)
    for number in range(200):
        (tmp_path / f"tree/{number}").write_text("new")
    (tmp_path / "tree/there").write_text("new" * 100000)
    (tmp_path / "out/tree/there").write_text("old")
    in_volume = ("run", "--rm", "--network", "none", "-v", "data:/d", busybox_image)
    rootless(*in_volume, "sh", "-c", "mkdir /d/tree; echo -n old >/d/tree/there")
    rootless("create", "--name", "box", "-v", "data:/d", busybox_image)
    rootless("create", "--name", "source", busybox_image)
    rootless("cp", tmp_path / "tree", "source:/tree")
    subprocess.run(["tar", "-C", tmp_path, "-czf", tmp_path / "tree.tar.gz", "tree"], check=True)
    ways: dict[str, tuple[str | Path, str | Path]] = {
        "in": (tmp_path / "tree", "box:/d"),
        "out": ("source:/tree", tmp_path / "out"),
        "stream": ("-", "box:/d"),
    }
    words = ways[way]
    for step in range(5):
        with (tmp_path / "tree.tar.gz").open("rb") as archive:
            process = rootless.start("cp", *words, stdin=archive)
            try:
                process.wait(0.05 + 0.06 * step)
            except subprocess.TimeoutExpired:
                os.kill(process.pid, signal.SIGKILL)
                process.wait()
        if way == "out":
            assert (tmp_path / "out/tree/there").read_text() in ("old", "new" * 100000)
        else:
            assert rootless(*in_volume, "sh", "-c", "wc -c </d/tree/there").stdout in ("3\n", "300000\n")
    assert str(rootless.root) not in Path("/proc/self/mountinfo").read_text()
    with (tmp_path / "tree.tar.gz").open("rb") as archive:
        rootless("cp", *words, stdin=archive)
    wait_until(lambda: os.listdir(rootless.root / "tmp") == [] if way == "stream" else True, "the sweep")
    rootless("rm", "box", "source")
    rootless("volume", "rm", "data")
