"""The manual pages: one for each command, and man(1)'s formatter has nothing to say about them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from rootless.cli.command_table import COMMANDS
from rootless.cli.help import man
from tests.need import need


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("man") / "man1"
    assert man.main([str(directory)]) == 0
    return directory


def test_there_is_one_for_each_command(pages: Path) -> None:
    assert len(list(pages.iterdir())) == len(COMMANDS) + 2
    listed = (pages / "rootless.1").read_text().replace("\\-", "-")
    for entry in COMMANDS:
        assert f".BR rootless-{entry.name.replace(' ', '-')} (1)" in listed


def test_the_formatter_has_no_warning(pages: Path) -> None:
    need(shutil.which("groff"), "groff is not installed (groff-base)")
    done = subprocess.run(
        ["groff", "-man", "-ww", "-z", "-Tutf8", *sorted(pages.iterdir())], capture_output=True, text=True, timeout=100, check=True
    )
    assert done.stderr == ""


def test_a_page_says_what_help_says(pages: Path) -> None:
    need(shutil.which("groff"), "groff is not installed (groff-base)")
    shown = subprocess.run(
        ["groff", "-man", "-Tascii", "-P-cbou", "-rLL=200n", pages / "rootless-run.1"],
        capture_output=True, text=True, timeout=100, check=True,
    ).stdout  # fmt: skip
    for text in (
        "rootless run [OPTIONS] IMAGE [COMMAND] [ARG...]",
        "-p, --publish list",
        "127.0.0.1:8080:80 keeps it on this machine",
        "rootless run -it --rm debian:bookworm bash",
    ):
        assert text in shown, shown[:3000]
