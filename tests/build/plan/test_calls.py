"""What --check and --call answer."""

from __future__ import annotations

import base64
import json

from rootless.build.dockerfile.parse import parse
from rootless.build.plan import render_calls
from rootless.build.plan.calls import check, outline, targets
from tests.build.plan.planning import REQUEST, document, graph_of, plan_of, request

FILE = """\
# V the version
ARG V=1
ARG UNUSED=2
# build makes it
FROM debian:$V AS build
# MODE how
ARG MODE=fast
ARG V
ARG TARGETARCH
RUN --mount=type=secret,id=a,required --mount=type=ssh --mount=type=cache,target=/c make
FROM build AS test
RUN --mount=type=secret,id=b t
FROM scratch
COPY --from=build /x /
"""


def test_targets() -> None:
    found = targets(parse(FILE))
    assert [(item.name, item.default, item.description, item.base) for item in found] == [
        ("build", False, "makes it", "debian:$V"),
        ("test", False, "", "build"),
        ("", True, "", "scratch"),
    ]
    assert render_calls.targets_text(found) == (
        "TARGET      DESCRIPTION\nbuild       makes it\ntest\n(default)\n"
    )
    listed = render_calls.targets_document(found, FILE.encode())
    assert listed["targets"][0] == {
        "name": "build",
        "description": "makes it",
        "base": "debian:$V",
        "location": {"ranges": [{"start": {"line": 5}, "end": {"line": 5}}]},
    }
    assert listed["targets"][2]["default"] is True
    assert base64.b64decode(listed["sources"][0]).decode() == FILE


def test_outline_of_the_default_target() -> None:
    asked = request(build_args={"MODE": "slow"})
    found = outline(graph_of(FILE, asked), plan_of(FILE, asked))
    assert [(item.name, item.value, item.description, item.first) for item in found.arguments] == [
        ("V", "1", "the version", 2),
        ("MODE", "slow", "how", 7),
    ]
    assert [(item.name, item.required) for item in found.secrets] == [("a", True)]
    assert [item.name for item in found.ssh] == ["default"]
    assert [item.name for item in found.caches] == ["/c"]
    assert render_calls.outline_text(found) == (
        "BUILD ARG   VALUE   DESCRIPTION\n"
        "V           1       the version\n"
        "MODE        slow    how\n"
        "\n"
        "SECRET   REQUIRED\n"
        "a        true\n"
        "\n"
        "SSH       REQUIRED\n"
        "default\n"
    )


def test_outline_of_a_named_target() -> None:
    asked = request(target="build")
    found = outline(graph_of(FILE, asked), plan_of(FILE, asked))
    assert render_calls.outline_text(found).startswith(
        "TARGET:        build\nDESCRIPTION:   makes it\n\nBUILD ARG"
    )
    listed = render_calls.outline_document(found, FILE.encode())
    assert (listed["name"], listed["description"]) == ("build", "makes it")
    assert listed["secrets"][0]["required"] is True


def test_check_looks_at_all_stages_or_at_the_targets() -> None:
    text = "FROM a AS one\nCMD x\nFROM a AS two\nENTRYPOINT y\n"
    assert [item.first for item in check(text, REQUEST, lambda source: document()).warnings] == [2, 4]
    asked = request(target="one")
    assert [item.first for item in check(text, asked, lambda source: document()).warnings] == [2]


def test_check_of_a_base_that_is_not_looked_at() -> None:
    text = "FROM a\nENV x=$MAYBE_ITS\nFROM scratch\nENV x=$SURELY_NOT"
    found = check(text, REQUEST, lambda source: None)
    assert [item.detail for item in found.warnings] == ["Usage of undefined variable '$SURELY_NOT'"]


def test_check_of_a_file_that_is_wrong() -> None:
    for text, message in (
        ("FROM a\nRUNN x", "unknown instruction"),
        ("FROM a\nCOPY --from=3 x y", "invalid stage index 3"),
    ):
        found = check(text, REQUEST, lambda source: document())
        assert found.error is not None
        assert message in found.error.message
        assert "   2 | >>> " in render_calls.check_text(found, "Dockerfile", ())


def test_check_as_text_and_as_json() -> None:
    text = "FROM a as b\n"
    found = check(text, REQUEST, lambda source: document())
    assert render_calls.check_text(found, "Dockerfile", parse(text).lines) == (
        "Check complete, 1 warning has been found!\n\nWARNING: FromAsCasing - https://docs.docker.com/go/dockerfile/rule/from-as-casing/\n"
        "'as' and 'FROM' keywords' casing do not match\n"
        "Dockerfile:1\n--------------------\n   1 | >>> FROM a as b\n--------------------\n"
    )
    listed = json.loads(json.dumps(render_calls.check_document(found, "Dockerfile", text.encode())))
    assert listed["warnings"] == [
        {
            "ruleName": "FromAsCasing",
            "description": "The 'as' keyword should match the case of the 'from' keyword",
            "url": "https://docs.docker.com/go/dockerfile/rule/from-as-casing/",
            "detail": "'as' and 'FROM' keywords' casing do not match",
            "location": {"ranges": [{"start": {"line": 1}, "end": {"line": 1}}]},
        }
    ]
    assert listed["sources"][0]["filename"] == "Dockerfile"
    assert "buildError" not in listed


def test_check_where_findings_are_errors() -> None:
    found = check("# check=error=true\nFROM a as b", REQUEST, lambda source: document())
    assert found.error is not None
    assert found.error.message == "lint violation found for rules: FromAsCasing"
    assert render_calls.check_document(found, "D", b"")["buildError"]["location"]


def test_the_command_line_says_what_is_checked() -> None:
    text = "# check=error=true\n# nothing\nFROM a as b"
    asked = request(build_args={"BUILDKIT_DOCKERFILE_CHECK": "skip=FromAsCasing;experimental=all"})
    found = check(text, asked, lambda source: document())
    assert found.error is None
    assert [warning.rule for warning in found.warnings] == ["InvalidDefinitionDescription"]
