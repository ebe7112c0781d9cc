"""`rootless doctor`: tries everything out and says what is missing, what that costs, who can mend it.

Outcomes, not versions. Each subject has a module of its own (doctor_*.py); this one puts the
probes together. Nothing is left behind: probes work in a scratch directory and a session of
their own, and what they start is killed.
"""

from __future__ import annotations

from typing import NamedTuple

from rootless.engine import (
    doctor_container,
    doctor_host,
    doctor_identity,
    doctor_network,
    doctor_storage,
)
from rootless.engine.doctor_finding import Finding, Status
from rootless.engine.doctor_isolation import TIMEOUT_S, run_all
from rootless.engine.doctor_scene import scene

PROBES = (
    *doctor_identity.PROBES,
    *doctor_container.PROBES,
    *doctor_storage.PROBES,
    *doctor_network.PROBES,
    *doctor_host.PROBES,
)


class Report(NamedTuple):
    """All findings, and whether a container can run here."""

    findings: list[Finding]

    @property
    def can_run(self) -> bool:
        """Whether nothing essential failed."""
        return not any(finding.status is Status.ERROR for finding in self.findings)


def examine(*, timeout_s: float = TIMEOUT_S) -> Report:
    """Run every probe; takes as long as the slowest, at most about `timeout_s`.

    The caller is single-threaded and has not joined the session.
    """
    with scene() as place:
        return Report(run_all(PROBES, place, timeout_s=timeout_s))
