"""What a step's key depends on, and what not."""

from __future__ import annotations

from rootless.build.cache import keys
from rootless.build.plan.steps import RunStep, StepPlace, WorkdirStep

STEP = RunStep(
    StepPlace("[2/2] RUN make", 2, 2), ("/bin/sh", "-c", "make"), (("A", "1"), ("PATH", "/bin")), "/", ""
)
BASE = keys.base_chain(["sha256:" + "0" * 64])


def key(step: RunStep = STEP, parent: str = BASE, platform: str = "linux/amd64") -> str:
    return keys.of_run(parent, step, platform, [], "buildkitsandbox").hex


def test_a_run_is_known_again_wherever_it_stands_in_the_file() -> None:
    moved = STEP._replace(
        place=StepPlace("[build 3/9] RUN make", 70, 75), proxy=(("http_proxy", "http://proxy"),)
    )
    assert key(moved) == key()


def test_the_order_of_the_environment_does_not_count() -> None:
    assert key(STEP._replace(env=(("PATH", "/bin"), ("A", "1")))) == key()


def test_each_thing_that_a_command_can_see_counts() -> None:
    others = [
        key(STEP._replace(args=("/bin/sh", "-c", "make -j2"))),
        key(STEP._replace(env=(("A", "2"), ("PATH", "/bin")))),
        key(STEP._replace(cwd="/src")),
        key(STEP._replace(user="1000")),
        key(STEP._replace(network="none")),
        key(platform="linux/arm64"),
        key(parent=keys.base_chain([])),
        key(parent=keys.chain(BASE, "step:" + "1" * 32)),
        keys.of_run(BASE, STEP, "linux/amd64", [{"type": "bind", "content": "x"}], "buildkitsandbox").hex,
        keys.of_run(BASE, STEP, "linux/amd64", [], "other").hex,
    ]
    assert len({key(), *others}) == 1 + len(others)


def test_a_step_that_changed_nothing_leaves_the_chain_as_it_was() -> None:
    assert keys.chain(BASE, "") == BASE


def test_a_workdir_is_of_its_user() -> None:
    step = WorkdirStep(StepPlace("[2/2] WORKDIR /w", 2, 2), "/w", "")
    one, other = (
        keys.of_workdir(BASE, each, "linux/amd64").hex for each in (step, step._replace(user="1000"))
    )
    assert one != other


def test_the_difference_names_what_is_new_and_what_is_gone() -> None:
    before = keys.of_run(BASE, STEP, "linux/amd64", [], "h").parts
    now = keys.of_run(BASE, STEP._replace(env=(("A", "2"), ("PATH", "/bin"))), "linux/amd64", [], "h").parts
    assert keys.difference(before, now) == "environment: +A=2 -A=1"
    assert (
        keys.difference(before, {**before, "parent": "x"}) == "parent: the files below this step are others"
    )
    assert keys.difference(before, {**before, "user": "1000"}) == "user: 1000, was "
