"""The documents point at what is there, and the scripts parse."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

from rootless.cli.grammar import refused
from rootless.cli.help import error_texts

TREE = Path(__file__).parents[2]
DOCUMENTS = sorted([*TREE.glob("*.md"), *TREE.glob("docs/**/*.md")])
SCRIPTS = [TREE / name for name in ("demo", "test", ".ci/run", "packaging/setup.sh", "packaging/demo.sh", "packaging/debian/build.sh")]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(TREE)))
def test_links_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)", document.read_text()):
        if "://" not in target:
            assert (document.parent / target).exists(), f"{document.name} links to {target}"


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_scripts_are_plain_sh(script: Path) -> None:
    done = subprocess.run(["sh", "-n", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert script.stat().st_mode & 0o111


def test_every_message_that_has_a_remedy_is_on_its_page() -> None:
    place = str(TREE / "docs/messages.md")
    assert error_texts.main(["--check", place]) == 0, "run: python -m rootless.cli.help.error_texts docs/messages.md"


def test_errors_and_findings_are_read_with_their_remedies() -> None:
    source = """
HELP = "do that"
def other(kind): return f"ask for {kind}"
def f(name, path):
    raise NotSupported(f"{name} is missing: {path.parent}", hint=HELP + " first")
    raise Conflict("two of them" if name else "one more", hint=other(name))
    return warning("probe", f"{name!r} is off", "no network", "leave it", other("root"))
    raise Unavailable(message, hint=hint)
"""
    tree = ast.parse(source)
    assert sorted(error_texts.texts(tree, error_texts.assigned(tree.body))) == [
        ("NAME is missing: PARENT", "do that first"),
        ("NAME is off", "leave it; an administrator: ask for KIND"),
        ("two of them / one more", "ask for KIND"),
    ]


def test_what_is_refused_is_on_the_page_for_those_who_know_docker() -> None:
    page = (TREE / "docs/from-docker.md").read_text()
    options = [option for options in (refused.FLAGS["run"], refused.SECURITY_OPTIONS, refused.VALUES) for option in options]
    for word in (*refused.COMMANDS, *options):
        last = word.split()[-1]
        assert last in page or last.rsplit("-", 1)[0] + "-*" in page, f"docs/from-docker.md lacks {word}"


def test_troubleshooting_quotes_what_the_program_says() -> None:
    """In the column of what one sees, code with a blank in it is a part of a message, or of a finding, of ours."""
    messages = (TREE / "docs/messages.md").read_text()
    elsewhere = {"unknown flag", "unknown command", "no such host: ", "you have ", "the input device is not a TTY",
                 "no space left on DIR (TYPE)", "the disk quota … on DIR (TYPE) is used up",
                 "the program that serves DIR (fuse.…) has ended", "the server of DIR (nfs4) no longer has this file"}  # fmt: skip
    for row in (TREE / "docs/troubleshooting.md").read_text().splitlines():
        for quoted in re.findall(r"`([^`]+)`", row.split("|")[1] if row.startswith("| ") else ""):
            if " " in quoted and quoted not in elsewhere:
                assert quoted.strip() in messages, f"no message of ours has {quoted!r}"
