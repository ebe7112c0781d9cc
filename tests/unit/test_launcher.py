"""Which command starts this very package again, by the files that an installer leaves."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import rootless

ASK = "from rootless import paths; print(paths.launcher())"


@pytest.mark.parametrize(
    ("libraries", "first_line", "found"),
    [
        ("lib/python3.{minor}/site-packages", "#!{python}", True),
        ("lib/python3/dist-packages", "#!{python}", True),
        ("lib/python3/dist-packages", "#! {python}", True),  # dh_python3
        ("lib64/python3.{minor}/site-packages", "#!{python}", True),
        ("lib/python3.{minor}/site-packages", "#!/bin/sh", False),  # the way of pip and uv around a path with a blank, or a moving one
        ("lib/python3.{minor}/site-packages", "#!/usr/bin/env python3", False),
        ("lib/python3.{minor}/site-packages", "#!/nowhere/python3", False),
        ("lib/python3.{minor}/site-packages", "#!python", False),
        ("elsewhere/of/pip's --target", "#!{python}", False),
    ],
)
def test_it_is_found_where_it_starts_this_package(tmp_path: Path, libraries: str, first_line: str, found: bool) -> None:
    site = tmp_path / libraries.format(minor=sys.version_info.minor)
    site.mkdir(parents=True)
    (site / "rootless").symlink_to(os.path.dirname(os.path.abspath(rootless.__file__)))
    commands = tmp_path / "bin"
    commands.mkdir()
    ask = [sys.executable, "-EPSc", f"import sys; sys.path.insert(0, {str(site)!r}); {ASK}"]

    def answer() -> str:
        return subprocess.run(ask, check=True, capture_output=True, text=True).stdout.strip()

    assert answer() == "None", "there is none"
    (commands / "rootless-python").write_text(first_line.format(python=sys.executable) + "\n")
    assert answer() == "None", "there is half of one"
    (commands / "rootless").touch(mode=0o755)
    assert answer() == (f"{commands}/rootless" if found else "None")
