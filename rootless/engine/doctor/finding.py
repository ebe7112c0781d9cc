"""What `doctor` found out about one thing, as data."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class ProbeStatus(StrEnum):
    """How bad it is: an error means that no container can run, a warning that something is lost."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"
    NOT_AVAILABLE = "not available"


class Finding(NamedTuple):
    """One thing that was tested.

    `what` is the fact, `effect` what does not work because of it, `fix_user` what the user can do
    without rights, `fix_admin` the exact command or file for the administrator (may have several
    lines). The last three are empty where there is nothing to say.
    """

    name: str
    status: ProbeStatus
    what: str
    effect: str = ""
    fix_user: str = ""
    fix_admin: str = ""


def ok(name: str, what: str) -> Finding:
    """It works."""
    return Finding(name, ProbeStatus.OK, what)


def warning(name: str, what: str, effect: str, fix_user: str = "", fix_admin: str = "") -> Finding:
    """It works less well than it could."""
    return Finding(name, ProbeStatus.WARNING, what, effect, fix_user, fix_admin)


def error(name: str, what: str, effect: str, fix_user: str = "", fix_admin: str = "") -> Finding:
    """No container can run because of it."""
    return Finding(name, ProbeStatus.ERROR, what, effect, fix_user, fix_admin)


def not_available(name: str, what: str, effect: str, fix_user: str = "", fix_admin: str = "") -> Finding:
    """This host does not give it; containers run without."""
    return Finding(name, ProbeStatus.NOT_AVAILABLE, what, effect, fix_user, fix_admin)


def split_hint(hint: str | None) -> tuple[str, str]:
    """An error's hint as the user's and the administrator's part; the diagnosis modules join them so."""
    user, _, admin = (hint or "").partition("ask the administrator for:")
    return user.strip(), admin.strip()
