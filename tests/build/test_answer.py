"""`build --check` and `--call` as a user runs them: nothing is built, and stdout has the answer."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rootless.build.answer import parse_method
from rootless.errors import InvalidInput
from tests.harness.command import Rootless

FILE = """\
# base what all stand on
FROM nowhere.invalid/image AS base
ARG MODE=fast
RUN --mount=type=secret,id=token,required make
FROM base
COPY left-out kept /
"""


@pytest.fixture
def directory(tmp_path: Path) -> str:
    (tmp_path / "Dockerfile").write_text(FILE)
    (tmp_path / ".dockerignore").write_text("left-out\n")
    return str(tmp_path)


def test_check_without_findings(rootless: Rootless, directory: str) -> None:
    assert rootless("build", "--check", directory).stdout == "Check complete, no warnings found.\n"


def test_check_with_a_finding(rootless: Rootless, directory: str) -> None:
    asked = ("--build-arg", "BUILDKIT_DOCKERFILE_CHECK=experimental=CopyIgnoredFile")
    found = rootless("build", "--call=check", *asked, directory, status=1)
    assert "\nWARNING: CopyIgnoredFile - " in found.stdout
    assert '"left-out" that is excluded by .dockerignore\nDockerfile:6\n' in found.stdout
    found = rootless("build", "--call=check,format=json,ignorestatus", *asked, directory)
    assert [warning["ruleName"] for warning in json.loads(found.stdout)["warnings"]] == ["CopyIgnoredFile"]


def test_check_of_a_file_that_is_none(rootless: Rootless, directory: str) -> None:
    Path(directory, "Dockerfile").write_text("FROM x\nRUNN y\n")
    found = rootless("build", "--check", directory, status=1)
    assert "unknown instruction: RUNN (did you mean RUN?)" in found.stdout
    assert "   2 | >>> RUNN y" in found.stdout


def test_targets_and_outline(rootless: Rootless, directory: str) -> None:
    assert rootless("build", "--call=targets", directory).stdout == (
        "TARGET      DESCRIPTION\nbase        what all stand on\n(default)\n"
    )
    outline = rootless("build", "--call=outline", "--target", "base", directory).stdout
    assert "BUILD ARG   VALUE   DESCRIPTION\nMODE        fast\n" in outline
    assert "SECRET   REQUIRED\ntoken    true\n" in outline
    found = rootless("build", "--call=targets", "-f", directory + "/none", directory, status=1)
    assert "failed to read dockerfile" in found.stderr


def test_findings_stop_a_build_that_wants_it(rootless: Rootless, directory: str) -> None:
    Path(directory, "Dockerfile").write_text("# check=error=true\nFROM scratch as x\n")
    found = rootless("build", directory, status=1)
    assert "lint violation found for rules: FromAsCasing" in found.stderr
    assert "   2 | >>> FROM scratch as x" in found.stderr


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("check", ("check", False, False)),
        ("lint,format=json", ("check", True, False)),
        ("outline,format=text", ("outline", False, False)),
        ("check,ignorestatus", ("check", False, True)),
    ],
)
def test_methods(words: str, expected: tuple[str, bool, bool]) -> None:
    assert parse_method(words) == expected


@pytest.mark.parametrize("words", ["", "x", "check,format=xml", "check,,"])
def test_methods_that_are_none(words: str) -> None:
    with pytest.raises(InvalidInput, match="--call: unknown"):
        parse_method(words)
