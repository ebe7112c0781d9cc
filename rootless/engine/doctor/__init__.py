"""`rootless doctor`: tries everything out and reports what is missing, what that costs, who can mend it.

Outcomes, not versions. Each subject has a module of its own; this one puts the probes together.
Nothing is left behind: probes work in a scratch directory and a session of their own, and what they
start is killed.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from rootless.engine.doctor.probes import (
    bridges,
    container,
    devices,
    emulated_ids,
    emulation,
    host,
    network,
    pam,
    storage,
    user_namespace,
)
from rootless.engine.doctor.result import ProbeResult, ProbeStatus
from rootless.engine.doctor.run_probes import TIMEOUT_S, run_all
from rootless.engine.doctor.scratch import prepared

PROBES = (
    *user_namespace.PROBES,
    *emulated_ids.PROBES,
    *container.PROBES,
    *storage.PROBES,
    *network.PROBES,
    *bridges.PROBES,
    *emulation.PROBES,
    *host.PROBES,
    *devices.PROBES,
    *pam.PROBES,
)


class Report(NamedTuple):
    """All results, and whether a container can run here."""

    results: list[ProbeResult]

    @property
    def can_run(self) -> bool:
        """Whether nothing essential failed."""
        return not any(result.status is ProbeStatus.ERROR for result in self.results)

    def document(self) -> dict[str, Any]:
        """The report as JSON has it: `can_run`, and `findings` with name, status, what, effect, fix_user, fix_admin."""
        found = [{"name": result.name, "status": result.status.value, **result.finding._asdict()} for result in self.results]
        return {"can_run": self.can_run, "findings": found}


def examine(*, timeout_s: float = TIMEOUT_S) -> Report:
    """Run every probe; takes as long as the slowest, at most about `timeout_s`.

    The caller is single-threaded and has not joined the session.
    """
    with prepared() as scene:
        return Report(run_all(PROBES, scene, timeout_s=timeout_s))
