"""The rules that need no plan, and what `# check=` does to all of them."""

from __future__ import annotations

import pytest

from rootless.build.dockerfile.error import DockerfileError
from rootless.build.dockerfile.lint.casing import is_secret
from rootless.build.dockerfile.lint.linter import CheckOptions, failure, parse_options
from rootless.build.dockerfile.lint.rules import RULES
from rootless.build.dockerfile.parse import parse


def findings(text: str) -> list[tuple[str, int, str]]:
    return [(warning.rule, warning.first, warning.detail) for warning in parse(text).warnings]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("FROM x AS Base", [("StageNameCasing", 1, "Stage name 'Base' should be lowercase")]),
        ("FROM x as base", [("FromAsCasing", 1, "'as' and 'FROM' keywords' casing do not match")]),
        ("from x as base", []),
        ("FROM x\nRUN a \\\n\n b", [("NoEmptyContinuation", 2, "Empty continuation line")]),
        (
            "FROM x\nRUN a\nrun b",
            [
                (
                    "ConsistentInstructionCasing",
                    3,
                    "Command 'run' should match the case of the command majority (uppercase)",
                )
            ],
        ),
        (
            "from x\nrun a\nRun b",
            [
                (
                    "ConsistentInstructionCasing",
                    3,
                    "Command 'Run' should match the case of the command majority (lowercase)",
                )
            ],
        ),
        (
            "FROM x AS a\nFROM y AS a",
            [("DuplicateStageName", 2, 'Duplicate stage name "a", stage names should be unique')],
        ),
        (
            "FROM x AS scratch",
            [("ReservedStageName", 1, 'Stage name should not use the same name as reserved stage "scratch"')],
        ),
        (
            "FROM x\nMAINTAINER me",
            [("MaintainerDeprecated", 2, "Maintainer instruction is deprecated in favor of using label")],
        ),
        (
            "FROM x\nENV a b",
            [
                (
                    "LegacyKeyValueFormat",
                    2,
                    '"ENV key=value" should be used instead of legacy "ENV key value" format',
                )
            ],
        ),
        ("# about\nFROM x AS b", []),
        (
            "# check=experimental=all\n# about\nFROM x AS b",
            [
                (
                    "InvalidDefinitionDescription",
                    3,
                    "Comment for FROM should follow the format: `# b <description>`",
                )
            ],
        ),
        ("# check=experimental=InvalidDefinitionDescription\n# b about\nFROM x AS b", []),
        (
            "# check=experimental=InvalidDefinitionDescription\n# about\nARG b\nFROM x",
            [
                (
                    "InvalidDefinitionDescription",
                    3,
                    "Comment for ARG should follow the format: `# b <description>`",
                )
            ],
        ),
        ("# check=skip=FromAsCasing,StageNameCasing\nFROM x as B", []),
        ("# check=skip=all\nFROM x as B\nMAINTAINER a", []),
    ],
)
def test_findings(text: str, expected: list[tuple[str, int, str]]) -> None:
    assert findings(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", CheckOptions()),
        ("skip=A, B", CheckOptions(skip=frozenset({"A", "B"}))),
        ("skip=all;error=true", CheckOptions(skip=frozenset({"all"}), skip_all=True, error=True)),
        ("error=false; experimental=A", CheckOptions(experimental=frozenset({"A"}))),
        ("experimental=all", CheckOptions(experimental=frozenset({"all"}), experimental_all=True)),
    ],
)
def test_options(text: str, expected: CheckOptions) -> None:
    assert parse_options(text) == expected


@pytest.mark.parametrize("text", ["skip", "error=maybe", "unknown=1", ";", "skip=a;;error=true"])
def test_wrong_options_are_an_error_with_their_line(text: str) -> None:
    with pytest.raises(DockerfileError, match="check option") as caught:
        parse(f"# escape=`\n# check={text}\nFROM x")
    assert caught.value.first == 2


def test_findings_are_an_error_where_that_is_asked() -> None:
    warnings = parse("FROM x as B").warnings
    assert failure(CheckOptions(), warnings) is None
    assert failure(CheckOptions(error=True), ()) is None
    error = failure(CheckOptions(error=True), warnings)
    assert error is not None
    assert error.message == "lint violation found for rules: FromAsCasing, StageNameCasing"


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        ("PASSWORD", True), ("db_password", True), ("API_KEY", True), ("apikey", True), ("AUTH_URL", True), ("TOKEN", True),
        ("MONKEY", False), ("PASSWORDS", False), ("PUBLIC_KEY", False), ("KEYS", False), ("SECRETARY", False), ("", False),
    ],
)  # fmt: skip
def test_names_of_secrets(name: str, secret: bool) -> None:
    assert is_secret(name) is secret


def test_every_rule_has_a_page() -> None:
    assert len(RULES) == 22
    assert (
        RULES["JSONArgsRecommended"].url
        == "https://docs.docker.com/go/dockerfile/rule/json-args-recommended/"
    )
    assert all(rule.url or rule.name == "InvalidBaseImagePlatform" for rule in RULES.values())
