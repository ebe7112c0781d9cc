"""`--platform` of an image that is here, `images --tree`, `system df`: what scripts and people read of them."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.harness.command import Rootless

OTHER = "s390x"


@pytest.mark.parametrize(
    "words",
    [("history",), ("image", "inspect"), ("rmi",), ("rmi", "-f"), ("save", "-o", "never.tar")],
    ids=lambda words: " ".join(words),
)
def test_an_image_of_another_platform(
    rootless: Rootless, busybox_image: str, words: tuple[str, ...], tmp_path: Path
) -> None:
    """Nothing is removed or written where the image is not of the platform asked for."""
    refused = rootless(*words, "--platform", OTHER, busybox_image, status=None, cwd=tmp_path)
    assert f"does not provide the specified platform ({OTHER})" in refused.stderr
    assert os.listdir(tmp_path) == []
    assert rootless("image", "inspect", busybox_image).stdout
    assert "invalid" in rootless("history", "--platform", "a/b/c/d", busybox_image, status=1).stderr


def test_an_image_of_the_platform(rootless: Rootless, busybox_image: str, tmp_path: Path) -> None:
    own = rootless("image", "inspect", "-f", "{{.Os}}/{{.Architecture}}", busybox_image).stdout.strip()
    assert rootless("history", "-q", "--platform", own, busybox_image).stdout
    rootless("image", "inspect", "--platform", own, busybox_image)
    rootless("save", "--platform", own, "-o", tmp_path / "i.tar", busybox_image)
    rootless("tag", busybox_image, "other:1")
    assert rootless("rmi", "--platform", own, "other:1").stdout == "Untagged: other:1\n"


@pytest.mark.own_store
def test_the_tree(rootless: Rootless, busybox_image: str) -> None:
    rootless("tag", busybox_image, "other:1")
    rootless("create", "--name", "user", busybox_image, "true")
    lines = rootless("images", "--tree").lines
    assert lines[0].split("  ")[0] == "IMAGE"
    assert lines[1].startswith("busybox:latest")
    assert lines[1].endswith("U")
    assert lines[2].rstrip() == "other:1"
    assert lines[3].startswith("└─ linux/")
    assert "not yet supported with --tree" in rootless("images", "--tree", "-q", status=1).stderr
    rootless("rm", "user")
    rootless("rmi", "other:1")


@pytest.mark.own_store
def test_system_df(rootless: Rootless, busybox_image: str) -> None:
    rootless("create", "--name", "user", "-v", "data:/d", busybox_image, "true")
    rows = {row["Type"]: row for row in map(json.loads, rootless("system", "df", "--format", "json").lines)}
    assert list(rows) == ["Images", "Containers", "Local Volumes", "Build Cache", "Downloads"]
    assert rows["Build Cache"] == {
        "Active": "0", "Reclaimable": "0B", "Size": "0B", "TotalCount": "0", "Type": "Build Cache",
    }  # fmt: skip
    details = json.loads(rootless("system", "df", "-v", "--format", "json").stdout)
    assert {part: [row.get("Repository") or row.get("Names") or row.get("Name") for row in rows] for part, rows in details.items()} == {
        "Images": ["busybox"], "Containers": ["user"], "Volumes": ["data"], "BuildCache": [],
    }  # fmt: skip
    assert rootless(
        "system", "df", "-v", "--format", "{{range .Images}}{{.Repository}}:{{.Tag}}{{end}}"
    ).stdout == ("busybox:latest\n")
    shown = rootless("system", "df", "-v").stdout
    assert "Build cache usage: 0B\n" in shown
    heading, row = shown.split("Containers space usage:\n\n")[1].splitlines()[:2]
    assert row[heading.index("STATUS"):].split() == ["Created", "user"]
    rootless("rm", "-v", "user")
    rootless("volume", "rm", "-f", "data")


def test_a_port_that_is_not_published(rootless: Rootless, busybox_image: str) -> None:
    rootless("run", "-d", "--name", "box", "-p", "127.0.0.1::80", busybox_image, "sleep", "1000")
    for word in ("81", "80/udp"):
        said = rootless("port", "box", word, status=1).stderr
        assert said == f"rootless: No public port '{word}' published for box\n"
    rootless("rm", "-f", "box")
