"""Stages for other architectures: what runs their programs is there before the first step, and until the last."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from rootless.build.plan.steps import RunStep, StagePlan
from rootless.engine.emulation import handlers
from rootless.engine.emulation.architectures import is_foreign
from rootless.image import platforms


@contextmanager
def emulated(plans: Iterable[StagePlan]) -> Iterator[None]:
    """Have the programs of all stages that run any executed here. NotSupported, with what can be done, where that
    cannot be: a stage that only copies files needs nothing. The caller has joined the session."""
    wanted = {
        platforms.parse(plan.platform).architecture
        for plan in plans
        if any(isinstance(step, RunStep) for step in plan.steps)
    }
    held: list[int] = []
    try:
        for architecture in sorted(wanted):
            if is_foreign(architecture):
                held += handlers.ensure(architecture)
        yield
    finally:
        for fd in held:
            os.close(fd)
