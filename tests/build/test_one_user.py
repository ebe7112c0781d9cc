"""Builds whose RUNs have one user: 32-bit ARM on a 64-bit one, where ids are emulated. Nothing that we test on executes such."""

from __future__ import annotations

import os
from typing import Any

import pytest

from rootless.build import emulation
from rootless.build.execute.run_config import RunRequest, container_config
from rootless.build.plan.image_config import ImageConfig
from rootless.build.plan.sources import Scratch
from rootless.build.plan.steps import RunStep, StagePlan, StepPlace, WorkdirStep

RUN = RunStep(StepPlace("", 0, 0), ("true",), (), "/", "")
WORKDIR = WorkdirStep(StepPlace("", 0, 0), "/", "")


def stage(platform: str, *steps: Any) -> StagePlan:
    return StagePlan(0, "", platform, Scratch(), "", steps, ImageConfig(), (), ())


@pytest.mark.parametrize(
    ("platform", "machine", "single_id", "asked", "told"),
    [
        ("linux/arm/v7", "aarch64", True, "", True),
        ("linux/arm/v7", "aarch64", True, "auto", True),
        ("linux/arm/v7", "aarch64", True, "off", False),
        ("linux/arm/v7", "aarch64", False, "", False),
        ("linux/arm/v7", "armv7l", True, "", False),
        ("linux/arm/v7", "x86_64", True, "", False),
        ("linux/arm64", "aarch64", True, "", False),
    ],
)
def test_it_is_said_once_for_all_stages(platform: str, machine: str, *, single_id: bool, asked: str, told: bool) -> None:
    plans = [stage("linux/arm64", RUN), stage(platform, RUN, RUN), stage(platform, RUN)]
    found = emulation.one_user(plans, machine, single_id=single_id, asked=asked)
    assert found.startswith("a RUN has one user: ") == told
    assert bool(found) == told
    assert found.count("--platform linux/arm64") == told


def test_a_stage_that_runs_nothing_needs_no_users() -> None:
    assert emulation.one_user([stage("linux/arm/v7", WORKDIR)], "aarch64", single_id=True, asked="") == ""


def test_the_step_s_container_knows() -> None:
    request = RunRequest(["true"], [], "/", "")
    assert "narrow" not in container_config(request, [], [])
    assert container_config(request._replace(narrow=True), [], [])["narrow"]
    assert emulation.unanswered([stage("linux/arm/v7", RUN)], os.uname().machine) == (os.uname().machine == "aarch64")
