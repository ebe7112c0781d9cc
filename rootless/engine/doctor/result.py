"""What a probe of `doctor` found out, as data."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from rootless.finding import Finding


class ProbeStatus(StrEnum):
    """How bad it is: an error means that no container can run, a warning that something is lost."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"
    NOT_AVAILABLE = "not available"


class ProbeResult(NamedTuple):
    """One thing that was tested."""

    name: str
    status: ProbeStatus
    finding: Finding


def ok(name: str, what: str) -> ProbeResult:
    """It works."""
    return ProbeResult(name, ProbeStatus.OK, Finding(what))


def warning(name: str, what: str, effect: str, fix_user: str = "", fix_admin: str = "") -> ProbeResult:
    """It works less well than it could."""
    return ProbeResult(name, ProbeStatus.WARNING, Finding(what, effect, fix_user, fix_admin))


def error(name: str, what: str, effect: str, fix_user: str = "", fix_admin: str = "") -> ProbeResult:
    """No container can run because of it."""
    return ProbeResult(name, ProbeStatus.ERROR, Finding(what, effect, fix_user, fix_admin))


def not_available(name: str, what: str, effect: str, fix_user: str = "", fix_admin: str = "") -> ProbeResult:
    """This host does not give it; containers run without."""
    return ProbeResult(name, ProbeStatus.NOT_AVAILABLE, Finding(what, effect, fix_user, fix_admin))
