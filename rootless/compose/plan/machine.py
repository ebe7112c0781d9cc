"""A project's containers, started and stopped with the machine: there may be no compose file any more, so labels say what needs what."""

from __future__ import annotations

from collections.abc import Sequence

from rootless.compose.plan import names
from rootless.compose.plan.observed import Container
from rootless.compose.plan.steps import Step


def start_steps(chosen: Sequence[Container]) -> list[Step]:
    """Starts of these containers, each after the conditions of those of them that it depends on.

    A condition that does not come true is a warning: a restart policy has none.
    """
    steps: dict[str, Step] = {}
    for one in chosen:
        after = []
        for service, entry in names.read_depends_on_label(one.labels.get(names.DEPENDS_ON, "")).items():
            for other in chosen:
                if other.service != service or other.id == one.id:
                    continue
                after.append(f"start {other.id}")
                if entry["condition"] != "service_started":
                    key = f"wait {other.id} {entry['condition']}"
                    data = {"name": other.name, "service": service, "condition": entry["condition"]}
                    steps[key] = Step(key, "wait", f"Container {other.name}", (f"start {other.id}",), data, optional=True)
                    after.append(key)
        key = f"start {one.id}"
        data = {"id": one.id, "service": one.service, "name": one.name}
        steps[key] = Step(key, "start", f"Container {one.name}", tuple(after), data, optional=True)
    return list(steps.values())
