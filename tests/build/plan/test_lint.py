"""The rules that need a plan."""

from __future__ import annotations

import pytest

from rootless.build.dockerfile.error import DockerfileError
from rootless.build.plan.request import PlanRequest
from rootless.build.plan.whole import plan_build
from tests.build.plan.planning import ARM64, REQUEST, document, graph_of, plan_of, request


def findings(text: str, asked: PlanRequest = REQUEST) -> list[tuple[str, int, str]]:
    images = {"a": document(Env=["PATH=/b", "KNOWN=1"]), "arm": document("arm64")}
    return [(item.rule, item.first, item.detail) for item in plan_of(text, asked, images).warnings]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("FROM a\nCMD x", ("JSONArgsRecommended", 2, "JSON arguments recommended for CMD")),
        ('FROM a\nSHELL ["x"]\nENTRYPOINT x', None),
        ("FROM a\nRUN x", None),
        (
            "ARG v=1\nFROM a:$w$v",
            ("UndefinedArgInFrom", 2, "FROM argument 'w' is not declared (did you mean v?)"),
        ),
        ("FROM --platform=$BUILDPLATFORMS a:1", None),
        ("FROM a\nWORKDIR x", ("WorkdirRelativePath", 2, 'Relative workdir "x" can have')),
        ("FROM a\nWORKDIR /x\nWORKDIR y", None),
        ("FROM a AS s\nWORKDIR /x\nFROM s\nWORKDIR y", None),
        ("FROM a\nENV x=$KNOWN", None),
        (
            "FROM a\nCOPY $KNOWM /x",
            ("UndefinedVar", 2, "Usage of undefined variable '$KNOWM' (did you mean $KNOWN?)"),
        ),
        ("FROM a\nCOPY $other /x", ("UndefinedVar", 2, "Usage of undefined variable '$other'")),
        ("FROM a\nCOPY ${other:-y} /x", None),
        ("FROM a\nARG other\nCOPY x$other /x", None),
        ("FROM a\nRUN echo $other", None),
        (
            'FROM a\nCMD ["x"]\nCMD ["y"]',
            ("MultipleInstructionsDisallowed", 2, "Multiple CMD instructions should not be used"),
        ),
        (
            'FROM a\nENTRYPOINT ["x"]\nENTRYPOINT ["y"]',
            ("MultipleInstructionsDisallowed", 2, "Multiple ENTRYPOINT instructions should not be used"),
        ),
        (
            "FROM a\nHEALTHCHECK NONE\nHEALTHCHECK NONE",
            ("MultipleInstructionsDisallowed", 2, "Multiple HEALTHCHECK instructions should not be used"),
        ),
        (
            "FROM arm",
            (
                "InvalidBaseImagePlatform",
                1,
                'Base image arm was pulled with platform "linux/arm64", expected "linux/amd64"',
            ),
        ),
        (
            "FROM --platform=$TARGETPLATFORM a",
            (
                "RedundantTargetPlatform",
                1,
                "Setting platform to predefined $TARGETPLATFORM in FROM is redundant",
            ),
        ),
        (
            "FROM --platform=linux/amd64 a",
            ("FromPlatformFlagConstDisallowed", 1, "FROM --platform flag should not use constant"),
        ),
        ("FROM --platform=linux/amd64 a AS x-amd64", None),
        ("FROM --platform=$BUILDPLATFORM a", None),
        (
            "FROM a\nARG db_password=x",
            (
                "SecretsUsedInArgOrEnv",
                2,
                'Do not use ARG or ENV instructions for sensitive data (ARG "db_password")',
            ),
        ),
        (
            "FROM a\nENV TOKEN=x",
            (
                "SecretsUsedInArgOrEnv",
                2,
                'Do not use ARG or ENV instructions for sensitive data (ENV "TOKEN")',
            ),
        ),
        (
            "ARG v\nFROM a:$v",
            (
                "InvalidDefaultArgInFrom",
                2,
                "Default value for ARG a:$v results in empty or invalid base image name",
            ),
        ),
        (
            "FROM a\nEXPOSE 80/TCP",
            ("ExposeProtoCasing", 2, "Defined protocol 'TCP' in EXPOSE instruction should be lowercase"),
        ),
        (
            "FROM a\nEXPOSE 1.2.3.4:80:80",
            ("ExposeInvalidFormat", 2, "EXPOSE instruction should not define an IP address"),
        ),
    ],
)
def test_findings(text: str, expected: tuple[str, int, str] | None) -> None:
    asked = request(build_args={"v": "1", "BUILDPLATFORMS": "linux/amd64"}) if "$v" in text else REQUEST
    if "BUILDPLATFORMS" in text:
        with pytest.raises(DockerfileError, match=r"\(did you mean BUILDPLATFORM\?\)"):
            findings(text, asked)
    else:
        found = findings(text, asked)
        # The sentence is the rule's, whose beginning is enough to know it by.
        shortened = [(rule, line, detail[: len(expected[2])]) for rule, line, detail in found if expected]
        assert (shortened or found) == ([expected] if expected else [])


def test_a_base_of_another_platform_on_purpose() -> None:
    assert findings("FROM arm", request(platform=ARM64)) == []


def test_stages_that_are_not_built_are_not_judged() -> None:
    assert findings("FROM a AS x\nCMD y\nFROM a") == []


def test_rules_may_be_skipped_in_the_file_or_on_the_command_line() -> None:
    text = "# check=skip=JSONArgsRecommended\nFROM a\nCMD x\nWORKDIR y"
    assert [rule for rule, *_ in findings(text)] == ["WorkdirRelativePath"]
    asked = request(build_args={"BUILDKIT_DOCKERFILE_CHECK": "skip=WorkdirRelativePath"})
    assert [rule for rule, *_ in findings(text, asked)] == ["JSONArgsRecommended"]


def test_findings_can_be_errors() -> None:
    with pytest.raises(
        DockerfileError, match="lint violation found for rules: JSONArgsRecommended, WorkdirRelativePath"
    ):
        findings("# check=error=true\nFROM a\nCMD x\nWORKDIR y")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("COPY secret.txt /", ['Attempting to Copy file "secret.txt" that is excluded by .dockerignore']),
        ("ADD ./secret.txt /", ['Attempting to Add file "secret.txt" that is excluded by .dockerignore']),
        ("COPY . /", []),
        ("COPY --from=b secret.txt /", []),
        ("ADD https://h/secret.txt /", []),
    ],
)
def test_copies_of_what_is_ignored(line: str, expected: list[str]) -> None:
    for head, found in (("# check=experimental=CopyIgnoredFile\n", expected), ("", [])):
        graph = graph_of(f"{head}FROM a\n{line}")
        plan = plan_build(graph, lambda source: document(), ignored=lambda path: path == "secret.txt")
        assert [item.detail for item in plan.warnings] == found
