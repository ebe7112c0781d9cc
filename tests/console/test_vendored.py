"""What is of others is what they published, and nothing is asked of another host."""

from __future__ import annotations

import hashlib
import re
import zlib
from pathlib import Path

import rootless.console

ROOM = Path(rootless.console.__file__).parent
FIRST_PAGE_BYTES = 200_000


def test_files_of_others_are_unchanged_and_listed() -> None:
    rows = [line.split() for line in (ROOM / "vendored.txt").read_text("utf-8").splitlines()[3:]]
    listed = {row[0]: row[3] for row in rows}
    own = {
        "build.js", "charts.js", "console.css", "console.js", "edit.js", "events.js", "files.js", "icon.svg", "job.js", "login.js",
        "logs.js", "run.js", "terminal.js", "theme.js",
    }  # fmt: skip
    assert {path.name for path in (ROOM / "static").iterdir()} == own | set(listed)
    for name, digest in listed.items():
        assert hashlib.sha256((ROOM / "static" / name).read_bytes()).hexdigest() == digest
    licences = (ROOM / "licences.txt").read_text("utf-8")
    for _, package, version, _ in rows:
        assert f"{package.rpartition('/')[2]}-{version}" in licences


def test_pages_name_no_other_host_and_no_text_becomes_html() -> None:
    """Our own scripts put text in as text; a page has neither scripts nor styles of its own in it, which the policy would refuse."""
    for path in [*(ROOM / "templates").iterdir(), *((ROOM / "static").glob("[cilrt]*.[cj]s*"))]:
        text = path.read_text("utf-8")
        assert not re.search(r"(src|href)=[\"'](https?:)?//", text), path
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", text), path
        assert not re.search(r"\son[a-z]+=|style=\"|<style|\|safe|autoescape", text), path


def test_the_first_page_is_small() -> None:
    sizes = {path.name: len(zlib.compress(path.read_bytes(), 9)) for path in (ROOM / "static").iterdir()}
    assert sum(sizes.values()) < FIRST_PAGE_BYTES
