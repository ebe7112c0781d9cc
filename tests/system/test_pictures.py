"""The pictures of the terminal in docs/: the script that made them makes the same today, but for numbers. Those of the console
are packaging/screenshots.py's, the plot is benchmarks/storm.py's."""

from __future__ import annotations

import html
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.harness.command import Rootless
from tests.harness.registry import free_port

TREE = Path(__file__).parents[2]
COMMITTED = TREE / "docs/pictures"


def shape(picture: Path) -> list[str]:
    """The rows of a picture, where all numbers and all gaps are alike; sorted, for steps that run at once end in any order."""
    found = []
    for row in re.findall(r"<text [^>]*>(.*?)</text>", picture.read_text()):
        text = html.unescape(re.sub(r"<[^>]*>", "", row))
        text = re.sub(r"\b[0-9a-f]{12,64}\b", "ID", text)
        found.append(re.sub(r"\s+", " ", re.sub(r"\d+(\.\d+)?", "0", text)).strip())
    return sorted(found)


@pytest.mark.timeout(400)
def test_the_command_prints_what_they_show(rootless: Rootless, debian_image: str, tools_image: str, tmp_path: Path) -> None:
    rootless("tag", tools_image, "web-image")
    done = subprocess.run(
        [sys.executable, TREE / "packaging/pictures.py", tmp_path, "--port", str(free_port())],
        env=rootless.environment, capture_output=True, text=True, timeout=360, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    made = sorted(path.name for path in tmp_path.iterdir())
    assert made == sorted({path.name for path in COMMITTED.glob("*.svg")} - {"storm.svg"})
    for name in made:
        assert shape(tmp_path / name) == shape(COMMITTED / name), f"make pictures; {name}"


def test_none_shows_where_it_was_made() -> None:
    for picture in COMMITTED.glob("*.svg"):
        assert not re.search(r"/home/|/root\b|/tmp/|/var/tmp/", picture.read_text()), picture
