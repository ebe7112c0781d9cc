"""What docs/ says to type, typed: the blocks marked `sh` of each page, in one shell, in an empty directory.

`rootless bootstrap` takes minutes and is tried by test_readme: here it brings an image that the tests share.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.harness.command import Rootless
from tests.harness.registry import free_port

DOCS = Path(__file__).parents[2] / "docs"
PAGES = sorted(path for path in DOCS.rglob("*.md") if "\n```sh\n" in path.read_text())
PORT = re.compile(r"127\.0\.0\.1:(\d{4,5}):")


def script(page: Path, tools: str, archive: Path) -> str:
    """All that the page says to type."""
    typed = "".join(re.findall(r"^```sh\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL))
    typed = re.sub(r"^rootless bootstrap --include \S+ --tag (\S+) .*$", rf"rootless tag {tools} \1", typed, flags=re.MULTILINE)
    typed = re.sub(r"^rootless bootstrap debian:bookworm$", f"rootless load -q -i {archive}", typed, flags=re.MULTILINE)
    assert "bootstrap" not in typed
    for port in set(PORT.findall(typed)):
        typed = typed.replace(f"127.0.0.1:{port}:", f"127.0.0.1:{free_port()}:")
    return typed


@pytest.mark.timeout(400)
@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(DOCS)))
def test_every_line_of(page: Path, rootless: Rootless, debian_image: str, tools_image: str, debian_archive: Path, tmp_path: Path) -> None:
    typed = script(page, tools_image, debian_archive)
    done = subprocess.run(
        ["bash", "-euxc", typed], cwd=tmp_path, env={**rootless.environment, "USER": os.environ.get("USER", "")},
        capture_output=True, text=True, timeout=360, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-4000:]}"
    assert "internal error" not in done.stderr


def test_there_are_pages() -> None:
    assert len(PAGES) > 5
