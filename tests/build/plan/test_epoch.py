"""SOURCE_DATE_EPOCH as a number, and as the name of what has a time."""

from __future__ import annotations

import pytest

from rootless.build.dockerfile.error import DockerfileError
from rootless.build.plan.sources import CONTEXT, ContextSource, Source
from rootless.build.plan.steps import GitSource, HttpSource
from tests.build.plan.planning import graph_of, request

STAGES = "FROM scratch AS Src\nARG v=1\nADD https://h/x-$v.tar /\nFROM a"


@pytest.mark.parametrize(
    ("text", "value", "of"),
    [
        ("FROM a", "context", CONTEXT),
        ("FROM a", "named", ContextSource("named", "/dir")),
        (STAGES, "src", HttpSource("https://h/x-1.tar", "x-1.tar")),
        ("FROM scratch AS s\nADD https://h/x.git#main /\nFROM a", "S", GitSource("https://h/x.git", "main")),
    ],
)
def test_names(text: str, value: str, of: Source | HttpSource | GitSource) -> None:
    asked = request(build_args={"SOURCE_DATE_EPOCH": value}, contexts={"named": "/dir"})
    epoch = graph_of(text, asked).epoch
    assert (epoch.seconds, epoch.of) == (None, of)
    assert "SOURCE_DATE_EPOCH" not in epoch.arguments


@pytest.mark.parametrize(("value", "seconds"), [("0", 0), ("1700000000", 1_700_000_000), ("-5", -5)])
def test_numbers(value: str, seconds: int) -> None:
    assert graph_of("FROM a", request(build_args={"SOURCE_DATE_EPOCH": value})).epoch.seconds == seconds


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("FROM a", "invalid SOURCE_DATE_EPOCH: src"),
        ("FROM a AS src\nFROM b", "must use FROM scratch"),
        ("FROM scratch AS src\nFROM b", "exactly one remote ADD"),
        ("FROM scratch AS src\nRUN x\nFROM b", "unsupported RUN instruction"),
        ("FROM scratch AS src\nADD x /\nFROM b", r"must be a single HTTP\(S\) or Git ADD"),
        ("FROM scratch AS src\nADD https://h/x /\nADD https://h/y /\nFROM b", "exactly one remote ADD"),
    ],
)
def test_mistakes(text: str, message: str) -> None:
    with pytest.raises(DockerfileError, match=message):
        graph_of(text, request(build_args={"SOURCE_DATE_EPOCH": "src"}))
