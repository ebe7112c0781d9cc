"""Trees that are put in their place by renaming."""

from __future__ import annotations

import os
from pathlib import Path

from rootless.engine.files import copy_tree
from rootless.engine.files.copy_tree import Policy


def test_what_is_ours_and_goes_is_renamed_and_not_written_twice(tmp_path: Path) -> None:
    """But for a file of several names, one of which may stay where it was."""
    staged, target = tmp_path / "staged", tmp_path / "target"
    for directory in (staged / "below", target):
        directory.mkdir(parents=True)
    for name in ("below/large", "once", "linked"):
        (staged / name).write_bytes(b"contents")
    os.link(staged / "linked", staged / "below/again")
    (target / "once").write_bytes(b"old")
    numbers = {name: (staged / name).stat().st_ino for name in ("below/large", "once", "linked")}
    inside, outside = (os.open(path, os.O_RDONLY | os.O_DIRECTORY) for path in (staged, target))
    try:
        copy_tree.contents(inside, outside, Policy((os.getuid(), os.getgid()), special_bits=True, moves=True))
    finally:
        os.close(inside)
        os.close(outside)
    assert {name: (target / name).stat().st_ino == number for name, number in numbers.items()} == {
        "below/large": True, "once": True, "linked": False,
    }  # fmt: skip
    assert (target / "below/again").samefile(target / "linked")
    assert {path.read_bytes() for path in target.rglob("*") if path.is_file()} == {b"contents"}
