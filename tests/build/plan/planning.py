"""What the tests of plans share: a Dockerfile, some images, and what comes of them."""

from __future__ import annotations

from typing import Any

from rootless.build.dockerfile.parse import parse
from rootless.build.plan.graph import Graph, make_graph
from rootless.build.plan.request import PlanRequest
from rootless.build.plan.sources import ContextSource, ImageSource
from rootless.build.plan.steps import CopyStep, RunStep, StagePlan, WorkdirStep
from rootless.build.plan.whole import Plan, plan_build

AMD64, ARM64 = "linux/amd64", "linux/arm64"
REQUEST = PlanRequest(AMD64, AMD64)


def request(**fields: Any) -> PlanRequest:
    return REQUEST._replace(**fields)


def document(architecture: str = "amd64", **config: Any) -> dict[str, Any]:
    return {"architecture": architecture, "os": "linux", "config": config}


def graph_of(text: str, asked: PlanRequest = REQUEST) -> Graph:
    return make_graph(parse(text), asked)


def plan_of(text: str, asked: PlanRequest = REQUEST, images: dict[str, dict[str, Any]] | None = None) -> Plan:
    """Images that are not given are empty ones."""

    def document_of(source: ImageSource | ContextSource) -> dict[str, Any] | None:
        if isinstance(source, ContextSource):
            return None
        return (images or {}).get(source.reference) or document()

    return plan_build(graph_of(text, asked), document_of)


def target_of(
    text: str, asked: PlanRequest = REQUEST, images: dict[str, dict[str, Any]] | None = None
) -> StagePlan:
    return plan_of(text, asked, images).target


def runs(plan: StagePlan) -> list[RunStep]:
    return [step for step in plan.steps if isinstance(step, RunStep)]


def copies(plan: StagePlan) -> list[CopyStep]:
    return [step for step in plan.steps if isinstance(step, CopyStep)]


def workdirs(plan: StagePlan) -> list[WorkdirStep]:
    return [step for step in plan.steps if isinstance(step, WorkdirStep)]


def created_by(plan: StagePlan) -> list[str]:
    return [entry.created_by for entry in plan.history]


def names(plan: StagePlan) -> list[str]:
    return [step.place.name for step in plan.steps]
