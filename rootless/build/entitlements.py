"""What a Dockerfile may not have by itself, for a stranger wrote it: said before the first step, in the cache or not. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from rootless.build.plan.steps import RunStep, StagePlan
from rootless.errors import NotSupported


def refused(plans: Iterable[StagePlan], allowed: frozenset[str]) -> tuple[NotSupported, RunStep] | None:
    """The first step that asks for what --allow does not name, or nobody can give, and why it is refused."""
    for plan in plans:
        for step in plan.steps:
            if isinstance(step, RunStep):
                error = _refused(step, allowed)
                if error is not None:
                    return error, step
    return None


def _refused(step: RunStep, allowed: frozenset[str]) -> NotSupported | None:
    if step.network == "host" and "network.host" not in allowed:
        return NotSupported("network.host is not allowed", hint="if you trust the Dockerfile: --allow network.host")
    if step.security == "insecure" and "security.insecure" not in allowed:
        return NotSupported(
            "security.insecure is not allowed",
            hint="if you trust the Dockerfile: --allow security.insecure, which is --privileged for that RUN",
        )
    if any(required for _, required in step.devices):
        return NotSupported("RUN --device is not supported: a build gets no devices", hint="run what needs one: rootless run --device NAME")
    return None
