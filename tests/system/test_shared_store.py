"""The store that tests share has, for each of them, the images that were asked for and no others."""

from __future__ import annotations

from pathlib import Path

from tests.harness import images
from tests.harness.command import Rootless


def test_one_leaves_images(rootless: Rootless, busybox_image: str, tmp_path: Path) -> None:
    rootless("create", "--name", "left", busybox_image)
    rootless("export", "-o", tmp_path / "left.tar", "left")
    rootless("import", tmp_path / "left.tar")
    rootless("import", "-c", "LABEL a=b", tmp_path / "left.tar", "left:1")
    rootless("tag", busybox_image, "left:2")
    rootless("rm", "left")


def test_another_does_not_see_them(rootless: Rootless, busybox_image: str, debian_image: str) -> None:
    listed = rootless("images", "-a", "--format", "{{.Repository}}:{{.Tag}}").lines
    assert sorted(listed) == images.ensured(rootless)
    assert {busybox_image, debian_image} <= set(listed)
