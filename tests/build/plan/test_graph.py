"""Stages by name and number, named contexts, the target, and what it needs."""

from __future__ import annotations

import pytest

from rootless.build.dockerfile.error import DockerfileError
from rootless.build.plan.graph import bases_of
from rootless.build.plan.names import familiar_name, full_name, may_be_image
from rootless.build.plan.sources import ContextSource, ImageSource, Scratch, Source, StageSource
from rootless.build.plan.steps import PathSource
from tests.build.plan.planning import AMD64, ARM64, copies, graph_of, plan_of, request, runs

THREE = "FROM a AS one\nRUN 1\nFROM b AS two\nRUN 2\nFROM one AS three\nCOPY --from=two x y\n"


@pytest.mark.parametrize(
    ("text", "target", "reachable"),
    [
        (THREE, "", {0, 1, 2}),
        (THREE, "one", {0}),
        (THREE, "TWO", {1}),
        ("FROM a\nFROM b\n", "", {1}),
        ("FROM a AS x\nFROM b AS y\nRUN --mount=from=x,target=/m z\n", "", {0, 1}),
        ("FROM a AS x\nFROM b AS y\nRUN --mount=type=tmpfs,from=x,target=/m z\n", "", {1}),
        ("FROM a\nFROM b\nCOPY --from=0 x y", "", {0, 1}),
        ("FROM a AS x\nFROM b\nCOPY --from=X x y", "", {0, 1}),
        ("FROM a AS x\nFROM b\nCOPY --from=c x y", "", {1}),
        ("FROM a AS x\nFROM b AS x\nFROM x", "", {1, 2}),
    ],
)
def test_what_the_target_needs(text: str, target: str, reachable: set[int]) -> None:
    assert graph_of(text, request(target=target)).reachable == reachable


@pytest.mark.parametrize(
    ("text", "base"),
    [
        ("FROM scratch", Scratch()),
        ("FROM debian:13", ImageSource("debian:13", AMD64)),
        ("FROM --platform=linux/arm64 debian", ImageSource("debian", ARM64)),
        ("FROM --platform=$BUILDPLATFORM debian", ImageSource("debian", AMD64)),
        ("ARG v=13\nFROM debian:$v", ImageSource("debian:13", AMD64)),
        ("ARG v\nFROM debian:${v:-12}", ImageSource("debian:12", AMD64)),
        ("FROM a AS x\nFROM x", StageSource(0)),
        ("FROM a AS x\nFROM X", ImageSource("X", AMD64)),
        ("FROM x\nFROM a AS x", ImageSource("a", AMD64)),
        ("FROM debian@sha256:" + "a" * 64, ImageSource("debian@sha256:" + "a" * 64, AMD64)),
    ],
)
def test_bases(text: str, base: Source) -> None:
    assert graph_of(text).nodes[-1].base == base


def test_the_platform_of_a_base_that_is_a_stage_is_that_stages() -> None:
    graph = graph_of("FROM --platform=linux/arm64 a AS x\nFROM --platform=linux/s390x x")
    assert [node.platform for node in graph.nodes] == [ARM64, ARM64]


def test_images_that_are_copied_from_are_the_targets() -> None:
    plan = plan_of(
        "FROM --platform=$BUILDPLATFORM a\nCOPY --from=b x y\nRUN --mount=from=c,target=/m z",
        request(platform=ARM64),
    ).target
    assert plan.platform == AMD64
    assert plan.needs == (ImageSource("b", ARM64), ImageSource("c", ARM64))


@pytest.mark.parametrize(
    ("text", "message", "line"),
    [
        ("FROM a AS x\nCOPY --from=x y z", "circular dependency detected on stage: x", 1),
        ("FROM a\nCOPY --from=0 y z", "circular dependency detected on stage: stage-0", 1),
        (
            "FROM a AS x\nRUN --mount=from=y,target=/m z\nFROM b AS y\nCOPY --from=x a b",
            "circular dependency detected on stage: x",
            1,
        ),
        (
            "FROM a AS x\nCOPY --from=y a b\nFROM b AS y\nFROM x",
            'cannot copy from stage "y", it needs to be defined before current stage "x"',
            2,
        ),
        (
            "FROM a AS x\nRUN --mount=from=y,target=/m b\nFROM b AS y\nFROM x",
            'cannot mount from stage "y", it needs to be defined before current stage "x"',
            2,
        ),
        ("FROM a\nCOPY --from=1 y z", "invalid stage index 1", 2),
        ("FROM a\nCOPY --from=99999999999999999999 y z", "invalid stage index", 2),
        ("FROM a\nCOPY --from=$x y z", "variable expansion is not supported for --from", 2),
        ("FROM $x", r"base name \(\$x\) should not be blank", 1),
        ("FROM ${x", "missing '}'", 1),
        ("ARG a=${x\nFROM a", "missing '}'", 1),
        ("FROM --platform=$x a", "empty platform value from expression \\$x", 1),
        ("FROM --platform=$BUILDPLATFROM a", r"\(did you mean BUILDPLATFORM\?\)", 1),
        ("FROM --platform=a/b/c/d a", "failed to parse platform", 1),
    ],
)
def test_mistakes(text: str, message: str, line: int) -> None:
    with pytest.raises(DockerfileError, match=message) as caught:
        graph_of(text)
    assert caught.value.first == line
    assert ">>> " in caught.value.excerpt()


def test_a_stage_that_is_not_needed_may_be_wrong_about_later_ones() -> None:
    assert graph_of("FROM a AS x\nCOPY --from=y a b\nFROM b AS y").reachable == {1}


def test_a_target_that_is_not_there() -> None:
    with pytest.raises(
        DockerfileError, match=r'target stage "thre" could not be found \(did you mean three\?\)'
    ):
        graph_of(THREE, request(target="thre"))


@pytest.mark.parametrize(
    ("text", "contexts", "replaced"),
    [
        ("FROM a AS x", {"x": "/dir"}, ContextSource("x", "/dir")),
        ("FROM a AS x", {"X": "/dir"}, None),
        ("FROM a AS x", {"x": "docker-image://b:1"}, ImageSource("b:1", AMD64)),
        ("FROM a AS x", {"x": "container-image://b:1"}, ImageSource("b:1", AMD64)),
        ("FROM a AS x", {"x": "oci-layout:///l:t"}, ImageSource("oci-layout:///l:t", AMD64)),
        ("FROM a AS x", {"x::linux/arm64": "/arm"}, None),
        ("FROM a AS x", {"x::linux/amd64": "/amd", "x": "/any"}, ContextSource("x", "/amd")),
        ("FROM a AS x", {"x": "/any", "x::linux/amd64": "/amd"}, ContextSource("x", "/amd")),
        ("FROM --platform=linux/arm64 a AS x", {"x::linux/arm64": "/arm"}, ContextSource("x", "/arm")),
        ("FROM a AS x", {"scratch": "/dir", "y": "/dir"}, None),
    ],
)
def test_a_named_context_stands_for_a_stage(
    text: str, contexts: dict[str, str], replaced: Source | None
) -> None:
    assert graph_of(text, request(contexts=contexts)).nodes[0].replaced == replaced


@pytest.mark.parametrize("name", ["debian", "debian:latest", "docker.io/library/debian", "library/debian"])
@pytest.mark.parametrize("written", ["debian", "docker.io/library/debian:latest"])
def test_a_named_context_stands_for_an_image(name: str, written: str) -> None:
    asked = request(contexts={name: "docker-image://other"})
    assert graph_of(f"FROM {written}", asked).nodes[0].base == ImageSource("other", AMD64)
    plan = plan_of(f"FROM a\nCOPY --from={written} x y\nRUN --mount=from={written},target=/m z", asked).target
    assert plan.needs == (ImageSource("other", AMD64),)


def test_a_stage_that_is_replaced_is_not_looked_at() -> None:
    plan = plan_of(
        "FROM a AS x\nCOPY --from=unknown-image y z\nRUN false\nFROM b\nCOPY --from=x y z\n",
        request(contexts={"x": "/dir"}),
    )
    assert [step.sources for step in copies(plan.stages[0])] == [(PathSource(ContextSource("x", "/dir"), ("/",)),)]
    assert runs(plan.stages[0]) == []
    assert plan.stages[0].base == ContextSource("x", "/dir")
    assert copies(plan.target)[0].sources[0].from_ == StageSource(0)  # type: ignore[union-attr]


def test_the_images_to_ask_for() -> None:
    graph = graph_of("FROM a\nFROM b AS x\nFROM b\nCOPY --from=x y z\nCOPY --from=c d e")
    assert bases_of(graph) == (ImageSource("b", AMD64),)


def test_thousands_of_stages() -> None:
    count = 3000
    text = "FROM scratch AS s0\n" + "".join(f"FROM s{n - 1} AS s{n}\n" for n in range(1, count))
    assert len(plan_of(text).stages) == count


@pytest.mark.parametrize(
    ("name", "full", "familiar"),
    [
        ("debian", "docker.io/library/debian:latest", "debian"),
        ("a/b:1", "docker.io/a/b:1", "a/b:1"),
        ("host:5000/x", "host:5000/x:latest", "host:5000/x"),
        ("localhost/x", "localhost/x:latest", "localhost/x"),
        ("x@sha256:1", "docker.io/library/x@sha256:1", "x@sha256:1"),
    ],
)
def test_names_of_images(name: str, full: str, familiar: str) -> None:
    assert full_name(name) == full
    assert familiar_name(full) == familiar


@pytest.mark.parametrize(
    ("name", "image"),
    [
        ("debian:13", True), ("h.x:5/a/b@sha256:ab", True), ("", False), (":13", False), ("a:", False), ("A", False),
        ("a//b", False), ("-a", False), ("a b", False), ("a@", False),
    ],
)  # fmt: skip
def test_what_may_be_an_image(name: str, image: bool) -> None:
    assert may_be_image(name) is image


def test_no_cache_is_of_stages_by_name() -> None:
    text = "FROM a AS one\nRUN 1\nFROM one AS two\nRUN 2\n"
    for asked, expected in (
        (request(), [False, False]),
        (request(no_cache=True), [True, True]),
        (request(no_cache_filter=("ONE",)), [True, False]),
    ):
        plan = plan_of(text, asked)
        assert [runs(plan.stages[number])[0].place.no_cache for number in (0, 1)] == expected
