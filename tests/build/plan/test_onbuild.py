"""ONBUILD: whose triggers fire where, and that they come from outside."""

from __future__ import annotations

import pytest

from rootless.build.dockerfile.error import DockerfileError
from rootless.build.plan.sources import ImageSource, StageSource
from tests.build.plan.planning import AMD64, document, names, plan_of, runs, target_of


def test_triggers_of_an_image_come_first_and_are_gone() -> None:
    triggers = document(OnBuild=["ARG x=1", "RUN a $x", "COPY --from=img y z", "WORKDIR /w", "ENV q=1"])
    plan = target_of("FROM base\n\nRUN b", images={"base": triggers})
    assert names(plan) == [
        "[2/7] ONBUILD RUN a 1",
        "[3/7] ONBUILD COPY --from=img y z",
        "[4/7] ONBUILD WORKDIR /w",
        "[5/7] RUN b",
    ]
    assert [run.args[-1] for run in runs(plan)] == ["a $x", "b"]
    assert plan.config.on_build == ()
    assert ("q", "1") in plan.config.env
    assert plan.needs == (ImageSource("img", AMD64),)
    assert {(step.place.first, step.place.last) for step in plan.steps[:3]} == {(1, 1)}


def test_triggers_of_a_stage_fire_in_the_next_and_not_after() -> None:
    plan = plan_of("FROM a AS one\nONBUILD RUN x\nFROM one AS two\nFROM two\n")
    assert runs(plan.stages[0]) == []
    assert [run.args[-1] for run in runs(plan.stages[1])] == ["x"]
    assert runs(plan.stages[2]) == []


def test_a_trigger_may_need_a_stage_that_nothing_else_does() -> None:
    images = {"base": document(OnBuild=["COPY --from=extra a b"])}
    plan = plan_of("FROM a AS extra\nRUN x\nFROM base", images=images)
    assert set(plan.stages) == {0, 1}
    assert plan.target.needs == (StageSource(0),)
    with pytest.raises(DockerfileError, match="needs to be defined before") as caught:
        plan_of("FROM base AS b\nFROM a AS extra\nFROM b", images=images)
    assert caught.value.first == 1


@pytest.mark.parametrize(
    ("trigger", "message"),
    [
        ("RUN a\nRUN b", "onbuild trigger should be a single expression"),
        ("", "onbuild trigger should be a single expression"),
        ("NONSENSE", "unknown instruction: NONSENSE"),
        ("FROM x", "FROM isn't allowed as an ONBUILD trigger"),
        ("COPY --from=9 a b", "invalid stage index 9"),
        ("RUN <<E\nx", "unterminated heredoc"),
        ("# escape=x", "invalid escape token"),
    ],
)
def test_triggers_that_are_wrong_are_told_at_the_from(trigger: str, message: str) -> None:
    with pytest.raises(DockerfileError, match=message) as caught:
        plan_of("# c\nFROM base\n", images={"base": document(OnBuild=[trigger])})
    assert caught.value.first == 2


def test_a_trigger_with_a_heredoc() -> None:
    triggers = target_of("FROM a\nONBUILD RUN <<E\necho\nE").config.on_build
    plan = target_of("FROM base", images={"base": document(OnBuild=list(triggers))})
    assert runs(plan)[0].args[-1] == "echo\n"


def test_an_image_cannot_bring_triggers_without_end() -> None:
    with pytest.raises(DockerfileError, match="more than 1000 ONBUILD triggers"):
        plan_of("FROM base", images={"base": document(OnBuild=["ENV a=1"] * 1001)})
