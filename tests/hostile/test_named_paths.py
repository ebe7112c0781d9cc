"""Another account's links in a directory like /tmp, where `cp`, `image pack` and `image publish` were told to read or
to write."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.harness.command import Rootless
from tests.hostile.test_bind_sources import Stranger
from tests.hostile.test_bind_sources import shared as shared
from tests.hostile.test_bind_sources import victim as victim
from tests.need import need_program

PACK, PUBLISH = ("image", "pack"), ("image", "publish", "-q")


@pytest.mark.parametrize(
    "words",
    [
        (*PACK, "-o", "{work}/packed.sqfs", "{own}"),
        (*PACK, "-o", "{own}.sqfs", "{work}"),
        (*PACK, "{work}/empty", "packed"),
        (*PUBLISH, "{work}/new", "busybox"),
        (*PUBLISH, "{work}/empty", "busybox"),
    ],
)
@pytest.mark.usefixtures("busybox_image")
def test_a_strangers_link(
    rootless: Rootless, trap: Path, shared: Path, victim: Path, stranger: Stranger, words: tuple[str, ...]
) -> None:
    need_program("mksquashfs")
    (own := trap / "own").mkdir()
    (victim / "empty").mkdir()
    assert stranger(["ln", "-s", str(victim), str(shared / "work")]).returncode == 0
    failed = rootless(*(word.format(work=shared / "work", own=own) for word in words), status=1)
    assert "is a symbolic link of another user" in failed.stderr
    assert sorted(path.name for path in victim.rglob("*")) == ["empty", "secret"]
    assert not own.with_suffix(".sqfs").exists()
    (shared / "mine").symlink_to(victim)  # the caller's own is as good as a path without links
    rootless(*(word.format(work=shared / "mine", own=own) for word in words))
    if words[-1] == "packed":
        rootless("image", "pack", "--rm", "packed")


@pytest.mark.parametrize("running", [False, True])
def test_a_copy_by_a_strangers_link(
    rootless: Rootless, busybox_image: str, shared: Path, victim: Path, stranger: Stranger, *, running: bool
) -> None:
    """To it, below it, and from it; as for files that replace one's own."""
    rootless("create", "--name", "box", "--network", "none", busybox_image, "sleep", "60")
    if running:
        rootless("start", "box")
    (victim / "secret").write_text("the host's own")
    for name, target in (("directory", victim), ("file", victim / "secret"), ("new", victim / "new")):
        assert stranger(["ln", "-s", str(target), str(shared / name)]).returncode == 0
    there = ("directory", "directory/", "directory/secret", "file", "new")
    tried: list[tuple[str, ...]] = [("box:/etc/passwd", str(shared / name)) for name in there]
    tried += [("box:/etc", f"{shared}/new"), ("-L", f"{shared}/file", "box:/tmp/file")]
    tried += [(f"{shared}/{name}", "box:/tmp/file") for name in ("directory/", "directory/secret", "directory/.")]
    for words in tried:
        assert "is a symbolic link of another user" in rootless("cp", *words, status=1).stderr, words
    assert [(path.name, path.read_text()) for path in victim.iterdir()] == [("secret", "the host's own")]
    assert rootless("cp", "box:/tmp/file", "-", status=1).stdout == ""
    (shared / "own").symlink_to(victim)
    rootless("cp", "box:/etc/passwd", f"{shared}/own/")
    assert (victim / "passwd").exists()
    rootless("rm", "-f", "-t", "0", "box")
