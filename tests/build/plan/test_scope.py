"""ARG and ENV: who sees which value, in a RUN's environment and in its history."""

from __future__ import annotations

from typing import Any

import pytest

from rootless.build.dockerfile.error import DockerfileError
from tests.build.plan.planning import ARM64, created_by, document, plan_of, request, runs, target_of


def environment(text: str, images: dict[str, dict[str, Any]] | None = None, **asked: Any) -> dict[str, str]:
    """Of the last RUN, without PATH."""
    found = dict(runs(target_of(f"{text}\nRUN x", request(**asked), images))[-1].env)
    found.pop("PATH", None)
    return found


@pytest.mark.parametrize(
    ("text", "given", "expected"),
    [
        ("FROM a\nARG x=1", {}, {"x": "1"}),
        ("FROM a\nARG x=1", {"x": "2"}, {"x": "2"}),
        ("FROM a\nARG x=1", {"y": "2"}, {"x": "1"}),
        ("FROM a\nARG x", {}, {}),
        ("FROM a\nARG x", {"x": ""}, {"x": ""}),
        ("FROM a\nARG x=", {}, {"x": ""}),
        ("ARG x=1\nFROM a", {}, {}),
        ("ARG x=1\nFROM a", {"x": "2"}, {}),
        ("ARG x=1\nFROM a\nARG x", {}, {"x": "1"}),
        ("ARG x=1\nFROM a\nARG x", {"x": "2"}, {"x": "2"}),
        ("ARG x=1\nFROM a\nARG x=3", {}, {"x": "3"}),
        ("ARG x=1 y=$x\nFROM a\nARG y", {}, {"y": "1"}),
        ("ARG x=1 y=$x\nFROM a\nARG y", {"x": "2"}, {"y": "2"}),
        ("FROM a\nARG x=1 y=${x}2", {}, {"x": "1", "y": "12"}),
        ("FROM a\nARG x=1\nENV x=2", {}, {"x": "2"}),
        ("FROM a\nARG x=1\nENV x=2", {"x": "3"}, {"x": "2"}),
        ("FROM a\nARG x=1\nENV y=$x", {}, {"x": "1", "y": "1"}),
        ("FROM a\nENV x=1 y=$x", {}, {"x": "1", "y": ""}),
        ("FROM a\nENV x=1\nENV x=2 y=$x", {}, {"x": "2", "y": "1"}),
        ("FROM a\nENV x=1\nARG x", {}, {"x": "1"}),
        ("FROM a\nENV $y=1", {}, None),
        ("FROM a AS s\nARG x=1\nFROM s", {}, {"x": "1"}),
        ("FROM a AS s\nARG x=1\nENV y=$x\nFROM s\nARG x=2", {}, {"x": "2", "y": "1"}),
        ("FROM a AS s\nARG x=1\nFROM b", {}, {}),
        ("FROM a AS s\nARG x=1\nENV x=2\nFROM s", {}, {"x": "2"}),
        ("FROM a\nARG BUILDKIT_SBOM_SCAN_STAGE=true", {}, {}),
    ],
)
def test_values(text: str, given: dict[str, str], expected: dict[str, str] | None) -> None:
    if expected is None:
        with pytest.raises(DockerfileError, match="is no name of a variable"):
            environment(text, build_args=given)
    else:
        assert environment(text, build_args=given) == expected


def test_the_environment_of_the_base() -> None:
    images = {"a": document(Env=["PATH=/bin", "x=1", "y=2"])}
    assert environment("FROM a\nARG x=3\nENV y=$y$x", images) == {"x": "3", "y": "23"}
    plan = target_of("FROM a\nARG x=3\nENV y=$y$x", images=images)
    assert plan.config.env == (("PATH", "/bin"), ("x", "1"), ("y", "23"))


def test_a_base_without_a_path_gets_dockers() -> None:
    assert target_of("FROM scratch").config.env == (
        ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
    )


AUTOMATIC = ("PLATFORM", "OS", "ARCH", "VARIANT", "OSVERSION")


def test_automatic_arguments_have_to_be_declared() -> None:
    names = " ".join(f"{word}{part}" for word in ("BUILD", "TARGET") for part in AUTOMATIC)
    asked: dict[str, Any] = {"platform": "linux/arm/v7", "build_platform": ARM64, "target": "t"}
    assert environment("FROM a AS t", **asked) == {}
    assert environment(f"FROM a AS t\nARG {names} TARGETSTAGE", **asked) == {
        "BUILDPLATFORM": ARM64, "BUILDOS": "linux", "BUILDARCH": "arm64", "BUILDVARIANT": "", "BUILDOSVERSION": "",
        "TARGETPLATFORM": "linux/arm/v7", "TARGETOS": "linux", "TARGETARCH": "arm", "TARGETVARIANT": "v7",
        "TARGETOSVERSION": "", "TARGETSTAGE": "t",
    }  # fmt: skip
    assert environment("FROM a\nARG TARGETSTAGE") == {"TARGETSTAGE": "default"}
    assert environment("ARG TARGETARCH\nFROM a\nARG TARGETARCH") == {"TARGETARCH": "amd64"}
    assert environment("FROM a\nARG TARGETARCH", build_args={"TARGETARCH": "x"}) == {"TARGETARCH": "x"}


def test_proxies_need_no_declaration_and_are_in_no_history() -> None:
    plan = target_of("FROM a\nRUN x", request(build_args={"http_proxy": "p", "NO_PROXY": "q"}))
    (run,) = runs(plan)
    assert run.proxy == (("HTTP_PROXY", "p"), ("http_proxy", "p"), ("NO_PROXY", "q"), ("no_proxy", "q"))
    assert [name for name, _ in run.env] == ["PATH"]
    assert created_by(plan) == ["RUN /bin/sh -c x # buildkit"]
    declared = target_of("FROM a\nARG http_proxy\nRUN x", request(build_args={"http_proxy": "p"}))
    assert created_by(declared)[-1] == "RUN |1 http_proxy=p /bin/sh -c x # buildkit"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("FROM a\nARG x=1 y\nRUN z", "RUN |2 x=1 y= /bin/sh -c z # buildkit"),
        ("FROM a\nRUN z\nARG x=1", "RUN /bin/sh -c z # buildkit"),
        ("FROM a\nARG x=1\nARG x=2\nRUN z", "RUN |1 x=2 /bin/sh -c z # buildkit"),
        ("FROM a\nARG x=1\nENV x=2\nRUN z", "RUN |1 x=2 /bin/sh -c z # buildkit"),
        ("FROM a AS s\nARG x=1\nFROM s\nRUN z", "RUN |1 x=1 /bin/sh -c z # buildkit"),
        ('FROM a\nARG x=1\nRUN ["z", "y"]', "RUN |1 x=1 z y # buildkit"),
        ('FROM a\nSHELL ["sh", "-ec"]\nRUN z', "RUN sh -ec z # buildkit"),
    ],
)
def test_history_of_a_run(text: str, expected: str) -> None:
    found = created_by(target_of(text))
    assert expected in found


@pytest.mark.parametrize(
    ("text", "build_args", "seconds", "seen"),
    [
        (
            "FROM a\nARG SOURCE_DATE_EPOCH\nRUN x",
            {"SOURCE_DATE_EPOCH": "12"},
            12,
            {"SOURCE_DATE_EPOCH": "12"},
        ),
        ("ARG SOURCE_DATE_EPOCH=7\nFROM a\nRUN x", {}, 7, {}),
        ("FROM a\nRUN x", {}, None, {}),
        ("FROM a\nARG SOURCE_DATE_EPOCH\nRUN x", {"SOURCE_DATE_EPOCH": "context"}, None, {}),
    ],
)
def test_the_epoch(text: str, build_args: dict[str, str], seconds: int | None, seen: dict[str, str]) -> None:
    plan = target_of(text, request(build_args=build_args))
    assert plan.epoch == seconds
    assert {name: value for name, value in runs(plan)[0].env if name != "PATH"} == seen


def test_values_that_double_stop_somewhere() -> None:
    text = "FROM a\nENV a=xxxxxxxxxx\n" + "ENV a=$a$a\n" * 40
    with pytest.raises(DockerfileError, match="longer than") as caught:
        plan_of(text)
    assert caught.value.first
