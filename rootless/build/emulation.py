"""Stages for other architectures: what runs their programs is there before the first step, and until the last."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from rootless.build.plan.steps import RunStep, StagePlan
from rootless.engine.emulation import handlers
from rootless.engine.emulation.architectures import is_foreign
from rootless.engine.lifecycle import architecture as processor
from rootless.engine.state import emulated_ids
from rootless.image import platforms


def unanswered(plans: Iterable[StagePlan], machine: str) -> bool:
    """Whether stages that run programs have such as emulated ids do not answer on a machine's processor (uname(2)). Pure."""
    return any(processor.unanswered(machine, architecture) for architecture in _executed(plans))


def one_user(plans: Iterable[StagePlan], machine: str, *, single_id: bool, asked: str) -> str:
    """What is said once of a build whose RUNs have one user, for no start says it; "" where they have more, or none was `asked` for
    (emulate_ids of config.toml). Pure."""
    if not single_id or asked not in ("", "auto") or not unanswered(plans, machine):
        return ""
    return f"a RUN has one user: {emulated_ids.NARROW}\nhint: {emulated_ids.NARROW_HINT}"


def _executed(plans: Iterable[StagePlan]) -> set[str]:
    """The architectures whose programs are run."""
    return {platforms.parse(plan.platform).architecture for plan in plans if any(isinstance(step, RunStep) for step in plan.steps)}


@contextmanager
def emulated(plans: Iterable[StagePlan]) -> Iterator[None]:
    """Have the programs of all stages that run any executed here. NotSupported, with what can be done, where that
    cannot be: a stage that only copies files needs nothing. The caller has joined the session."""
    held: list[int] = []
    try:
        for architecture in sorted(_executed(plans)):
            if is_foreign(architecture):
                held += handlers.ensure(architecture)
        yield
    finally:
        for fd in held:
            os.close(fd)
