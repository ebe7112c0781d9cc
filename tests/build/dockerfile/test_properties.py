"""No text ends in anything but a Dockerfile or an error of its own; no text takes more than its size allows."""

from __future__ import annotations

import fnmatch
import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rootless.build.dockerfile.error import DockerfileError
from rootless.build.dockerfile.expand import expand
from rootless.build.dockerfile.parse import parse
from rootless.build.dockerfile.patterns import Pattern
from rootless.build.plan.graph import make_graph
from rootless.build.plan.image_config import to_document
from rootless.build.plan.request import PlanRequest
from rootless.build.plan.whole import plan_build

WORDS = st.sampled_from(
    [
        "FROM", "RUN", "COPY", "ADD", "ENV", "ARG", "LABEL", "CMD", "ENTRYPOINT", "SHELL", "USER", "WORKDIR", "VOLUME",
        "EXPOSE", "ONBUILD", "HEALTHCHECK", "STOPSIGNAL", "MAINTAINER", "AS", "a", "b", "scratch", "$a", "${a}", "${a:-",
        "}", "${a//x/", "a=b", "a=", "=", "--from=a", "--from=0", "--mount=type=cache,target=/x", "--mount=", "--link",
        "--chown=1:2", "--chmod=u+x", "--exclude=*", "--platform=$TARGETPLATFORM", "<<EOF", "<<-'E'", "EOF", "E", '["a"]',
        '["a", "b"]', "[", "'", '"', "\\", "`", "\\\n", "\n", "\n", "\n", "#", "# escape=`\n", "# syntax=docker/dockerfile\n",
        "# check=skip=all\n", " ", "\t", "80", "1-9/udp", "NONE", "https://h/x.git#y", "https://h/x", "/", "..", "é", "\0",
        "\udcff", "--", "--device=a/b=c", "--security=insecure", "--network=none", "--interval=1s",
    ]
)  # fmt: skip
FILES = st.lists(WORDS, max_size=40).map(" ".join) | st.lists(WORDS, max_size=40).map("".join)
BODIES = FILES.map(lambda text: f"ARG a=1\nFROM x AS a\n{text}\nFROM a\n{text}")


def plan(data: str | bytes) -> None:
    """Everything that is done of a text before a build; only DockerfileError may come out."""
    asked = PlanRequest("linux/arm64", "linux/amd64", {"a": "v"})
    try:
        graph = make_graph(parse(data), asked)
        found = plan_build(graph, lambda source: {"config": {"OnBuild": ["ENV q=$a"]}})
    except DockerfileError as error:
        error.excerpt()
        return
    assert to_document(found.target.config)
    for step in found.target.steps:
        assert step.place.first <= step.place.last


@given(FILES | BODIES)
@example("ONBUILD RUN <<E\nE\n")
@settings(deadline=None, max_examples=400)
def test_any_words(text: str) -> None:
    plan(text)


@given(st.binary(max_size=200))
@settings(deadline=None, max_examples=200)
def test_any_bytes(data: bytes) -> None:
    plan(data)
    plan(b"FROM x\nRUN " + data)
    plan(b"FROM x\nENV a=" + data)


@given(st.text(alphabet="ab$+-:{}#%/?*\\'\" `", max_size=30))
@settings(deadline=None, max_examples=400)
def test_any_word_expands_or_is_an_error(word: str) -> None:
    try:
        found = expand(word, {"a": "value", "b": ""})
    except DockerfileError:
        return
    assert "".join(found.words) == "".join(found.text.split()) or "'" in word or '"' in word or "\\" in word


PATTERNS = st.text(alphabet="ab*?", max_size=6)
VALUES = st.text(alphabet="abc", max_size=8)


@given(PATTERNS, VALUES)
@settings(deadline=None, max_examples=300)
def test_patterns_strip_what_the_shell_strips(pattern: str, value: str) -> None:
    lengths = [n for n in range(len(value) + 1) if fnmatch.fnmatchcase(value[:n], pattern)]
    found = Pattern(pattern)
    assert found.strip_prefix(value, longest=False) == value[min(lengths, default=0) :]
    assert found.strip_prefix(value, longest=True) == value[max(lengths, default=0) :]
    ends = [n for n in range(len(value) + 1) if fnmatch.fnmatchcase(value[len(value) - n :], pattern)]
    assert found.strip_suffix(value, longest=False) == value[: len(value) - min(ends, default=0)]
    assert found.strip_suffix(value, longest=True) == value[: len(value) - max(ends, default=0)]


@given(PATTERNS.filter(lambda text: text.strip("*")), VALUES)
@settings(deadline=None, max_examples=300)
def test_patterns_replace_what_a_regular_expression_does(pattern: str, value: str) -> None:
    expression = re.compile("".join({"*": ".*", "?": "."}.get(letter, letter) for letter in pattern))
    found = Pattern(pattern)
    assert found.replace(value, "X", every=True) == expression.sub("X", value)
    assert found.replace(value, "X", every=False) == expression.sub("X", value, count=1)


@pytest.mark.parametrize(
    "text",
    [
        "FROM x\n" + "RUN a\n" * 20_000,
        "FROM x\nRUN a \\\n" + " b \\\n" * 50_000 + " c",
        "FROM x\n" + "# c\n" * 100_000 + "RUN a",
        "FROM x\nENV " + "a=b " * 15_000,
        "FROM x\nENV a=" + "'" * 60_001,
        "FROM x\nENV a=" + "$a" * 30_000,
        "FROM x\nENV a=" + "${a:-" * 12_000,
        "FROM x\nENV a=${b//" + "*a" * 2_000 + "/x}",
        "FROM x\nCMD " + "[" * 60_000,
        "FROM x\nCMD [" + "1" * 60_000 + "]",
        "FROM x\nRUN " + "<<E " * 15_000,
        "FROM x\nRUN <<E\n" + "x\n" * 100_000 + "E",
        "FROM x\n" + "ONBUILD " * 8_000,
        "FROM x\nCOPY " + "a " * 30_000 + "b/",
        "FROM x\nRUN --mount=" + "a," * 30_000,
        "FROM x\nCOPY " + "--exclude=a " * 5_000 + "a b",
        "FROM x\nVOLUME " + "/a " * 20_000,
        "FROM x\nEXPOSE " + "1-65535 " * 8_000,
        "FROM x\n" + "X" * 60_000,
        "FROM x\nADD https://h/x.git?" + "a&" * 30_000 + " /",
    ],
    ids=lambda text: text[7:30].replace("\n", " ").strip(),
)
def test_what_is_large_is_done_or_refused(text: str) -> None:
    """A minute (pytest's timeout is two) is what only something quadratic takes."""
    plan(text)


def test_a_pattern_over_a_long_value() -> None:
    value = "ab" * 100_000
    assert Pattern("a*b*c*d*").strip_prefix(value, longest=True) == value
    assert Pattern("ab").replace(value, "x", every=True) == "x" * 100_000
    assert Pattern("*c").replace(value, "x", every=True) == value
