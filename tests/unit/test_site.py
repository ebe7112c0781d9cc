"""The site of docs/ is built by mkdocs without a warning: every link and every anchor leads somewhere."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path

from tests.need import need

TREE = Path(__file__).parents[2]


def test_the_site_has_no_broken_link(tmp_path: Path) -> None:
    """By mkdocs' own theme: that of the published site changes no link, and has a hundred times the size."""
    contents, index = (TREE / "mkdocs.yml").read_text(), (TREE / "docs/index.md").read_text()
    for path in (path for place in (".", "recipes", "tools") for path in (TREE / "docs" / place).glob("*.md")):
        name = str(path.relative_to(TREE / "docs"))
        assert re.search(rf"[\[ ]{re.escape(name)}\b", contents), "the site has no way to it"
        assert name == "index.md" or f"({name})" in index, "the index has no way to it"
    need(importlib.util.find_spec("mkdocs"), "mkdocs is not installed (pip install -e '.[dev]')")
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--theme", "mkdocs", "-f", TREE / "mkdocs.yml", "-d",
         tmp_path / "site"],
        capture_output=True, text=True, timeout=110, check=False,
    )  # fmt: skip
    assert built.returncode == 0, built.stderr[-3000:]
    places = {entry["location"] for entry in json.loads((tmp_path / "site/search/search_index.json").read_text())["docs"]}
    for page in ("first-steps.html", "cli/run.html", "project/SECURITY.html", "development/decisions/cgroups.html"):
        assert page in places
    assert 'href="../security.html"' in (tmp_path / "site/project/SECURITY.html").read_text()
